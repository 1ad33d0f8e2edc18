'use strict';
// The form that generates a session: what it would do, by the engine's formulas, while it is filled in.
{
    const told = document.getElementById('outlook');
    const form = document.querySelector('form.once');
    const names = ['key_length', 'error_rate', 'channel', 'eavesdropper', 'fraction', 'link', 'count'];
    let waiting = 0;

    async function look() {
        const query = new URLSearchParams();
        for (const name of names) { query.set(name, form.elements[name]?.value ?? ''); }
        try {
            const answer = await fetch(`${told.dataset.url}?${query}`, { redirect: 'manual', credentials: 'same-origin' });
            if (!answer.ok) { return; }
            const found = await answer.json();
            told.textContent = found.text;
            told.classList.toggle('bad', !found.feasible);
        } catch { /* the form works without */ }
    }

    form.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(look, 400); });
    look();
}
