'use strict';
// The picture of a session: its rate-distance curve, and the demonstration, stage by stage.
{
    const demonstration = document.getElementById('demonstration');
    const stages = [...demonstration.querySelectorAll('.stages li')];
    const rows = [...demonstration.querySelectorAll('.photons tr')];
    const play = demonstration.querySelector('[data-do="play"]');
    const still = matchMedia('(prefers-reduced-motion: reduce)');
    const LAST = stages.length;
    const SECONDS = 4;
    let stage = LAST; // whole at first: nothing is hidden from who does not press a button
    let timer = 0;

    function show(next) {
        stage = Math.min(LAST, Math.max(1, next));
        for (const row of rows) { row.classList.toggle('covered', Number(row.dataset.stage) > stage); }
        for (const item of stages) {
            item.classList.toggle('covered', Number(item.dataset.stage) > stage);
            item.classList.toggle('now', Number(item.dataset.stage) === stage);
        }
    }

    function pause() {
        clearInterval(timer);
        timer = 0;
        play.setAttribute('aria-pressed', 'false');
        play.textContent = 'Play';
    }

    function start() {
        show(stage === LAST ? 1 : stage + 1);
        if (still.matches) { return; } // without motion of its own: each press shows one stage more
        play.setAttribute('aria-pressed', 'true');
        play.textContent = 'Pause';
        timer = setInterval(() => {
            if (stage === LAST) { pause(); } else { show(stage + 1); }
        }, 1000 * SECONDS);
    }

    const actions = {
        first: () => { pause(); show(1); },
        back: () => { pause(); show(stage - 1); },
        next: () => { pause(); show(stage + 1); },
        all: () => { pause(); show(LAST); },
        play: () => { if (timer) { pause(); } else { start(); } },
    };
    for (const button of demonstration.querySelectorAll('[data-do]')) {
        button.addEventListener('click', () => actions[button.dataset.do]());
    }

    const canvas = document.getElementById('curve');
    if (canvas) {
        const data = JSON.parse(document.getElementById('curve-data').textContent);
        const points = (values) => data.distances.map((x, index) => ({ x, y: values[index] })).filter((point) => point.y);
        const probe = document.createElement('span');
        demonstration.append(probe);
        const colour = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
        const [line, quiet, grid, bad] = ['--primary', '--body-quiet-color', '--hairline-color', '--bad'].map(colour);
        probe.remove();
        const curve = { pointRadius: 0, borderWidth: 2, showLine: true };
        new Chart(canvas, {
            type: 'scatter',
            data: {
                datasets: [
                    { ...curve, label: 'channel, endless pulses', data: points(data.rates), borderColor: line, backgroundColor: line },
                    { ...curve, label: 'PLOB bound', data: points(data.bound), borderColor: quiet, backgroundColor: quiet, borderDash: [6, 4] },
                    { label: 'this session', data: data.rate ? [{ x: data.km, y: data.rate }] : [], borderColor: bad, backgroundColor: bad, pointRadius: 6 },
                ],
            },
            options: {
                animation: false, responsive: true, maintainAspectRatio: false,
                scales: {
                    x: { type: 'linear', min: 0, title: { display: true, text: 'km of fibre', color: quiet }, ticks: { color: quiet }, grid: { color: grid } },
                    y: { type: 'logarithmic', title: { display: true, text: 'secret bits per pulse', color: quiet }, ticks: { color: quiet }, grid: { color: grid } },
                },
                plugins: { legend: { align: 'end', labels: { color: quiet, boxWidth: 18, boxHeight: 2 } } },
            },
        });
    }
    show(LAST);
}
