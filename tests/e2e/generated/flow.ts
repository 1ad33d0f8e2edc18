// What a program does with the client that OpenAPI Generator makes (typescript-fetch): node flow.js <server> <key>.
// Lies beside the folder "made"; prints one line for each step.
import {
    AccessApi, Configuration, FilesApi, MessagesApi, ResponseError, SessionsApi,
} from './made';

const [basePath, apiKey] = process.argv.slice(2);
const configuration = new Configuration({ basePath, apiKey });
const prefer = 'wait=25';

async function main(): Promise<void> {
    const files = new FilesApi(configuration);
    const messages = new MessagesApi(configuration);
    const sessions = new SessionsApi(configuration);
    console.log('role', (await new AccessApi(configuration).whoami()).role);

    const session = await sessions.generateSession({ generateInRequest: { keyLength: 256 }, prefer });
    console.log('session', session.status);
    console.log('again', (await sessions.getSession({ sessionId: session.sessionId })).status);

    const sealed = await messages.encryptMessage({ encryptInRequest: { plaintext: 'attack at dawn' } });
    const opened = await messages.decryptMessage({ decryptInRequest: { _package: sealed._package } });
    console.log('message', opened.plaintext);

    const content = Uint8Array.from({ length: 16384 }, (_, place) => place % 256);
    const upload = await files.createUpload({ uploadInRequest: { name: 'a.bin' } });
    await fetch(upload.uploadUrl!, { method: 'PUT', body: content });
    const file = await files.getFile({ fileId: upload.file.fileId, prefer });
    console.log('file', file.status);
    const read = new Uint8Array(await (await files.getContent({ fileId: file.fileId })).arrayBuffer());
    console.log('same', Buffer.compare(read, content) === 0);
    console.log('deleted', (await files.deleteFile({ fileId: file.fileId })).status);

    try {
        await files.getFile({ fileId: 'none' });
    } catch (error) {
        console.log('problem', error instanceof ResponseError && error.response.status);
    }
}

main().catch(error => { console.error(error); process.exit(1); });
