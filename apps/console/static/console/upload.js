'use strict';
// Files from a drop or a choice: announced here, then sent straight to the bucket, with their progress.
{
    const form = document.getElementById('upload');
    const drop = document.getElementById('drop');
    const input = document.getElementById('files');
    const list = document.getElementById('uploads');
    const limit = Number(form.dataset.limit);
    let underWay = 0;

    // As render.spelt does: what hides or turns the text around it is spelt out
    function spelt(text) {
        return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (one) => `\\u${one.codePointAt(0).toString(16).padStart(4, '0')}`);
    }

    function line(file) {
        const item = document.createElement('li');
        const name = document.createElement('bdi');
        name.textContent = spelt(file.name);
        const progress = document.createElement('progress');
        progress.max = file.size || 1;
        progress.value = 0;
        progress.setAttribute('aria-label', `Progress of ${spelt(file.name)}`);
        const told = document.createElement('span');
        told.textContent = 'Waiting';
        item.append(name, progress, told);
        list.append(item);
        return { item, progress, told };
    }

    async function announce(file) {
        const body = new FormData();
        body.set('csrfmiddlewaretoken', form.elements.csrfmiddlewaretoken.value);
        body.set('name', file.name);
        body.set('media_type', file.type);
        if (form.dataset.document) { body.set('document', form.dataset.document); }
        else { body.set('document_type', form.elements.document_type.value.trim()); }
        const answer = await fetch(form.dataset.announce, { method: 'POST', body, redirect: 'manual', credentials: 'same-origin' });
        if (!(answer.headers.get('Content-Type') ?? '').includes('json')) { throw new Error('You were signed out, or this page is out of date. Reload it.'); }
        const told = await answer.json();
        if (!answer.ok) { throw new Error(told.problem); }
        return told;
    }

    function send(target, file, progress) {
        return new Promise((resolve, reject) => {
            const body = new FormData();
            for (const [name, value] of Object.entries(target.fields)) { body.set(name, value); }
            body.set('file', file); // last: S3 ignores what comes after it
            const request = new XMLHttpRequest();
            request.upload.addEventListener('progress', (event) => { progress.value = Math.min(event.loaded, file.size); });
            request.addEventListener('load', () => {
                if (request.status < 300) { resolve(); } else { reject(new Error(`The bucket refused it (${request.status}).`)); }
            });
            request.addEventListener('error', () => reject(new Error('The connection was lost.')));
            request.open('POST', target.url);
            request.send(body);
        });
    }

    // What was announced is sent again to where it was announced: else each try would leave an upload that never comes
    function offerAgain(shown, file, target) {
        const again = document.createElement('button');
        again.type = 'button';
        again.textContent = 'Try again';
        again.addEventListener('click', () => upload(file, shown, target));
        shown.told.append(' ', again);
    }

    async function upload(file, shown = line(file), announced = null) {
        const { item, progress, told } = shown;
        let target = announced;
        underWay += 1;
        item.className = '';
        try {
            if (file.size > limit) { throw new Error('It is too large.'); }
            told.textContent = 'Sending';
            target ??= await announce(file);
            await send(target, file, progress);
            progress.value = progress.max;
            told.textContent = 'Sent. ';
            const link = document.createElement('a');
            link.href = target.page;
            link.textContent = 'See how it is encrypted';
            told.append(link);
            item.className = 'sent';
            return true;
        } catch (error) {
            told.textContent = error.message;
            item.className = 'failed';
            if (target) { offerAgain(shown, file, target); }
            return false;
        } finally {
            underWay -= 1;
        }
    }

    async function all(files) {
        let sent = files.length > 0;
        for (const file of files) { sent = await upload(file) && sent; } // one after another: each gets the whole line
        if (sent && form.dataset.onwards) { location.assign(form.dataset.onwards); }
    }

    addEventListener('beforeunload', (event) => { if (underWay) { event.preventDefault(); } }); // leaving would end them
    input.addEventListener('change', () => { all([...input.files]); input.value = ''; });
    form.addEventListener('submit', (event) => event.preventDefault());
    for (const name of ['dragenter', 'dragover']) {
        drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add('over'); });
    }
    drop.addEventListener('dragleave', () => drop.classList.remove('over'));
    drop.addEventListener('drop', (event) => {
        event.preventDefault();
        drop.classList.remove('over');
        all([...event.dataTransfer.files]);
    });
}
