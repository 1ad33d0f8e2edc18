'use strict';
// On every page: times in the viewer's zone, ids copied, forms sent once, the health dot, and records that are at work.
{
    const BESIDE = '#content-main > .object-tools, #content-main > .tabs';
    const LIVE = { headers: { 'X-Console-Live': '1' }, credentials: 'same-origin', redirect: 'manual' };

    // Times are written in UTC; the title keeps UTC, the text becomes the viewer's own time
    function localise(root) {
        for (const time of root.querySelectorAll('time[datetime]')) {
            const moment = new Date(time.dateTime);
            if (Number.isNaN(moment.getTime())) { continue; }
            const parts = [moment.getFullYear(), moment.getMonth() + 1, moment.getDate(), moment.getHours(), moment.getMinutes(), moment.getSeconds()];
            const [year, ...others] = parts.map((part) => String(part).padStart(2, '0'));
            time.textContent = `${year}-${others[0]}-${others[1]} ${others[2]}:${others[3]}:${others[4]}`;
        }
    }

    async function copy(button) {
        try {
            await navigator.clipboard.writeText(button.dataset.copy);
        } catch {
            // Without the clipboard's permission the text is selected, so that Ctrl+C copies it
            const shown = button.previousElementSibling;
            if (shown) { getSelection().selectAllChildren(shown); }
            return;
        }
        button.classList.add('copied');
        setTimeout(() => button.classList.remove('copied'), 1500);
    }

    document.addEventListener('click', (event) => {
        const button = event.target.closest('button.copy');
        if (button) { copy(button); }
    });

    // The server carries a form out once, too; this only spares a second request
    for (const form of document.querySelectorAll('form.once')) {
        form.addEventListener('submit', (event) => {
            if (form.dataset.sent) { event.preventDefault(); }
            form.dataset.sent = 'yes';
        });
    }
    addEventListener('pageshow', () => {
        for (const form of document.querySelectorAll('form.once')) { delete form.dataset.sent; }
    });

    async function lookAtHealth(dot) {
        let text = 'Health unknown';
        let tone = 'muted';
        try {
            const answer = await fetch(dot.dataset.url, LIVE);
            if (answer.type === 'opaqueredirect' || answer.status === 401) { return; } // signed out: the next click says so
            const told = await answer.json();
            [text, tone] = told.ok ? ['All parts of the platform answer', 'good'] : [`Not ready: ${told.failing.join(', ')}`, 'bad'];
        } catch {
            [text, tone] = ['The platform does not answer', 'bad'];
        }
        dot.className = `health tone-dot-${tone}`;
        dot.title = text;
        dot.querySelector('.visually-hidden').textContent = text;
    }

    // A record at work is fetched again; that is no use of the session, so it does not keep an idle one alive
    async function renew(live) {
        if (document.hidden) { return schedule(live); }
        try {
            const answer = await fetch(location.href, LIVE);
            if (answer.ok) {
                const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
                const fresh = page.getElementById('live');
                if (fresh) {
                    // What can be done with it, and its parts, are those of its new state
                    const [before, after] = [document, page].map((one) => [...one.querySelectorAll(BESIDE)]);
                    if (before.map((one) => one.outerHTML).join() !== after.map((one) => one.outerHTML).join()) {
                        for (const old of before) { old.remove(); }
                        document.getElementById('content-main').prepend(...after);
                    }
                    live.replaceWith(fresh);
                    localise(fresh);
                    return schedule(fresh);
                }
            } else if (answer.type === 'opaqueredirect' || answer.status === 401) {
                return undefined; // signed out: the next click says so
            }
        } catch { /* the connection is away for now: tried again */ }
        return schedule(live);
    }

    function schedule(live) {
        const seconds = Number(live.dataset.seconds);
        if (seconds) { setTimeout(() => renew(live), 1000 * seconds); }
    }

    globalThis.consolePage = { localise, LIVE };
    localise(document);
    const dot = document.getElementById('health');
    if (dot) { lookAtHealth(dot); setInterval(() => { if (!document.hidden) { lookAtHealth(dot); } }, 60_000); }
    const live = document.getElementById('live');
    if (live) { schedule(live); }
}
