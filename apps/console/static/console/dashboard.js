'use strict';
// The overview: draws the chart from the data in the page, then fetches newer data while the page is visible.
{
    const panels = document.getElementById('panels');
    const refreshed = document.getElementById('refreshed');
    const charts = new Map();

    // Colours come from the style sheet, so that they follow the scheme; a property's text may be light-dark(…)
    function colour(name) {
        const probe = document.createElement('span');
        probe.style.color = `var(${name})`;
        panels.append(probe);
        const found = getComputedStyle(probe).color;
        probe.remove();
        return found;
    }

    function translucent(rgb, alpha) {
        return rgb.replace(/^rgba?\(([^)]*?)\)$/, (_, parts) => `rgba(${parts.split(',').slice(0, 3).join(',')}, ${alpha})`);
    }

    function datasets(data) {
        const line = colour('--primary'), bad = colour('--bad');
        const tones = Object.fromEntries(['good', 'wait', 'bad', 'info', 'muted'].map((tone) => [tone, colour(`--${tone}`)]));
        const plain = { pointRadius: 0, pointHitRadius: 0, borderWidth: 0 };
        return [
            {
                label: 'QBER', data: data.points.map((point) => point.value), borderColor: line, borderWidth: 1.5,
                pointRadius: 4, pointHoverRadius: 6, pointBorderWidth: 0, tension: 0,
                pointBackgroundColor: data.points.map((point) => tones[point.tone]), backgroundColor: line,
            },
            { ...plain, label: 'low', data: data.points.map((point) => point.low) },
            { ...plain, label: '99 % interval', data: data.points.map((point) => point.high), fill: '-1', backgroundColor: translucent(line, 0.14) },
            {
                ...plain, label: `threshold ${data.threshold} %`, data: data.points.map(() => data.threshold),
                borderColor: bad, backgroundColor: bad, borderWidth: 1.5, borderDash: [6, 4],
            },
        ];
    }

    function options(data) {
        const text = colour('--body-quiet-color'), grid = colour('--hairline-color');
        return {
            animation: false, responsive: true, maintainAspectRatio: false,
            interaction: { mode: 'index', intersect: false },
            onClick: (_event, found) => { if (found.length) { location.assign(data.points[found[0].index].url); } },
            scales: {
                x: { ticks: { color: text, maxRotation: 0, autoSkipPadding: 24 }, grid: { display: false }, border: { color: grid } },
                y: {
                    beginAtZero: true, suggestedMax: 1.25 * data.threshold, border: { display: false },
                    ticks: { color: text, callback: (value) => `${value} %` }, grid: { color: grid },
                },
            },
            plugins: {
                legend: { align: 'end', labels: { color: text, boxWidth: 18, boxHeight: 2, filter: (item) => item.text !== 'low' } },
                tooltip: {
                    filter: (item) => item.datasetIndex === 0,
                    callbacks: {
                        label: (item) => {
                            const point = data.points[item.dataIndex];
                            return `QBER ${point.value.toFixed(2)} % (${point.low.toFixed(2)} – ${point.high.toFixed(2)} %)`;
                        },
                    },
                },
            },
        };
    }

    function draw(id, data) {
        const canvas = document.querySelector(`canvas[data-chart="${CSS.escape(id)}"]`);
        canvas.parentElement.hidden = data.points.length === 0;
        charts.get(id)?.chart.destroy();
        charts.delete(id);
        if (data.points.length) {
            const shown = { labels: data.points.map((point) => point.label), datasets: datasets(data) };
            charts.set(id, { data, chart: new Chart(canvas, { type: 'line', data: shown, options: options(data) }) });
        }
    }

    function redraw() {
        for (const [id, { data }] of [...charts]) { draw(id, data); }
    }

    function show(panel) {
        const section = document.getElementById(`panel-${panel.name}`);
        if (!section) { return; }
        section.querySelector('.panel-body').innerHTML = panel.body;
        const id = `chart-${panel.name}`;
        // An unchanged chart stays as it is: a tooltip being read does not vanish
        if (panel.chart && JSON.stringify(charts.get(id)?.data) !== JSON.stringify(panel.chart)) { draw(id, panel.chart); }
    }

    async function refresh() {
        if (document.hidden) { return; }
        try {
            const answer = await fetch(panels.dataset.url, { headers: { Accept: 'application/json' } });
            if (answer.redirected) { location.reload(); return; }
            if (!answer.ok) { throw new Error(`status ${answer.status}`); }
            (await answer.json()).panels.forEach(show);
            refreshed.textContent = `Live, ${new Date().toISOString().slice(11, 19)} UTC`;
            refreshed.classList.remove('stale');
        } catch {
            refreshed.textContent = 'Connection lost. Retrying.';
            refreshed.classList.add('stale');
        }
    }

    for (const canvas of panels.querySelectorAll('canvas[data-chart]')) {
        draw(canvas.dataset.chart, JSON.parse(document.getElementById(canvas.dataset.chart).textContent));
    }
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ['data-theme'] });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    document.addEventListener('visibilitychange', refresh);
    setInterval(refresh, 1000 * Number(panels.dataset.seconds));
}
