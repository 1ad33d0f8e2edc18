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

    const LINES = ['--primary', '--info', '--wait', '--muted', '--good'];

    function bySeries(points) {
        const found = new Map();
        for (const point of points) {
            if (!found.has(point.series)) { found.set(point.series, []); }
            found.get(point.series).push(point);
        }
        return [...found].sort(([one], [other]) => one.localeCompare(other));
    }

    function datasets(data) {
        const bad = colour('--bad');
        const tones = Object.fromEntries(['good', 'wait', 'bad', 'info', 'muted'].map((tone) => [tone, colour(`--${tone}`)]));
        const plain = { pointRadius: 0, pointHitRadius: 0, borderWidth: 0 };
        const series = bySeries(data.points);
        const sets = series.flatMap(([name, points], index) => {
            const joined = points.every((point) => point.joined);
            const line = joined ? colour(LINES[index % LINES.length]) : bad;
            const values = {
                label: name, points, data: points.map((point) => ({ x: point.at, y: point.value })), borderColor: line,
                borderWidth: 1.5, borderDash: index >= LINES.length ? [2, 3] : [], pointRadius: points.length > CROWDED ? 2 : 4, pointHoverRadius: 6,
                pointBorderWidth: 0, tension: 0, clip: 8, showLine: joined, pointBackgroundColor: points.map((point) => tones[point.tone]), backgroundColor: line,
            };
            // Several bands on one another tell nothing, and a mean has none
            if (series.length > 1 || points.some((point) => point.count > 1)) { return [values]; }
            return [
                values,
                { ...plain, label: 'low', data: points.map((point) => ({ x: point.at, y: point.low })) },
                { ...plain, label: '99 % interval', data: points.map((point) => ({ x: point.at, y: point.high })), fill: '-1', backgroundColor: translucent(line, 0.14) },
            ];
        });
        return [...sets, {
            ...plain, label: `threshold ${data.threshold} %`, data: [{ x: data.since, y: data.threshold }, { x: Date.now(), y: data.threshold }],
            borderColor: bad, backgroundColor: bad, borderWidth: 1.5, borderDash: [6, 4],
        }];
    }

    const MINUTE = 60_000, DAY = 1_440 * MINUTE, CROWDED = 60;
    const STEPS = [MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, 60 * MINUTE, 180 * MINUTE, 360 * MINUTE, DAY, 2 * DAY, 7 * DAY];

    // Where the axis has a mark: at full minutes, hours or days of the viewer's zone
    function marks(since, until) {
        const step = STEPS.find((one) => (until - since) / one <= 9) ?? STEPS.at(-1);
        const shift = new Date(until).getTimezoneOffset() * MINUTE;
        const first = Math.ceil((since - shift) / step) * step + shift;
        const found = [];
        for (let at = first; at <= until; at += step) { found.push({ value: at }); }
        return found;
    }

    function moment(milliseconds, span) {
        const time = new Date(milliseconds);
        if (span > 2 * DAY) { return time.toLocaleDateString('en', { month: 'short', day: 'numeric' }); }
        return time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
    }

    function options(data) {
        const text = colour('--body-quiet-color'), grid = colour('--hairline-color');
        const now = Date.now(), span = now - data.since;
        return {
            animation: false, responsive: true, maintainAspectRatio: false,
            interaction: { mode: 'nearest', intersect: false },
            onClick: (event, found, chart) => {
                const point = found.map((one) => chart.data.datasets[one.datasetIndex].points?.[one.index]).find(Boolean);
                if (point) { location.assign(point.url); }
            },
            scales: {
                x: {
                    type: 'linear', min: data.since, max: now, border: { color: grid }, grid: { display: false },
                    afterBuildTicks: (axis) => { axis.ticks = marks(data.since, now); },
                    ticks: { color: text, maxRotation: 0, autoSkipPadding: 24, callback: (value) => moment(value, span) },
                },
                y: {
                    beginAtZero: true, suggestedMax: 1.25 * data.threshold, border: { display: false },
                    ticks: { color: text, callback: (value) => `${value} %` }, grid: { color: grid },
                },
            },
            plugins: {
                legend: { align: 'end', labels: { color: text, boxWidth: 18, boxHeight: 2, filter: (item) => item.text !== 'low' } },
                tooltip: {
                    filter: (item) => Boolean(item.dataset.points),
                    callbacks: {
                        title: (items) => items.map((item) => new Date(item.parsed.x).toLocaleString())[0],
                        label: (item) => {
                            const point = item.dataset.points[item.dataIndex];
                            const about = point.count > 1 ? `the mean of ${point.count.toLocaleString('en')} sessions` : `${point.low.toFixed(2)} – ${point.high.toFixed(2)} %`;
                            return `${point.series}: QBER ${point.value.toFixed(2)} % (${about})`;
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
            const shown = { datasets: datasets(data) };
            charts.set(id, { data, chart: new Chart(canvas, { type: 'line', data: shown, options: options(data) }) });
        }
    }

    function redraw() {
        for (const [id, { data }] of [...charts]) { draw(id, data); }
    }

    // HTML as the browser writes it, so that what the page came with compares as equal
    function asWritten(html) {
        const holder = document.createElement('template');
        holder.innerHTML = html;
        return holder.innerHTML;
    }

    const shown = new WeakMap([...panels.querySelectorAll('.panel-body')].map((body) => [body, body.innerHTML]));

    function show(panel) {
        const section = document.getElementById(`panel-${panel.name}`);
        if (!section) { return; }
        const body = section.querySelector('.panel-body');
        const fresh = asWritten(panel.body);
        if (shown.get(body) !== fresh) { // else it stays: who reads it keeps their place, and a click meets its button
            body.innerHTML = fresh;
            shown.set(body, fresh);
            consolePage.localise(body);
        }
        const id = `chart-${panel.name}`;
        // An unchanged chart stays as it is: a tooltip being read does not vanish
        const before = charts.get(id)?.data;
        if (panel.chart && JSON.stringify(before?.points) !== JSON.stringify(panel.chart.points)) { draw(id, panel.chart); }
    }

    // What is about to change is looked at again within seconds
    let soon;
    function lookSoon() {
        clearTimeout(soon);
        if (panels.querySelector('[data-soon]')) { soon = setTimeout(refresh, 2000); }
    }

    async function refresh() {
        if (document.hidden) { return; }
        try {
            const answer = await fetch(panels.dataset.url + location.search, consolePage.LIVE);
            if (answer.type === 'opaqueredirect' || answer.status === 401) { location.reload(); return; } // signed out
            if (!answer.ok) { throw new Error(`status ${answer.status}`); }
            const told = (await answer.json()).panels;
            told.forEach(show);
            const names = new Set(told.map((panel) => `panel-${panel.name}`));
            for (const section of panels.querySelectorAll('.panel')) { section.hidden = !names.has(section.id); }
            refreshed.textContent = `Live, ${new Date().toLocaleTimeString([], { hour12: false })}`;
            refreshed.classList.remove('stale');
        } catch {
            refreshed.textContent = 'Connection lost. Retrying.';
            refreshed.classList.add('stale');
        }
        lookSoon();
    }

    lookSoon();
    for (const canvas of panels.querySelectorAll('canvas[data-chart]')) {
        draw(canvas.dataset.chart, JSON.parse(document.getElementById(canvas.dataset.chart).textContent));
    }
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ['data-theme'] });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    document.addEventListener('visibilitychange', refresh);
    setInterval(refresh, 1000 * Number(panels.dataset.seconds));
}
