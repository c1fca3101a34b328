// BullMQ over Redis: jobs added in bulk by 500, a worker of concurrency 64, finished jobs removed.
// The roles are those of side.py.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.SIGHTLINE_BENCH_NODE + '/');
const { Queue, Worker } = require('bullmq');
const [role, address, ...rest] = process.argv.slice(2);
const connection = { path: address, maxRetriesPerRequest: null };
const bulk = 500;
const stamp = () => Number(process.hrtime.bigint());
const options = { removeOnComplete: true, removeOnFail: true };

if (role === 'work') {
    const fd = fs.openSync(rest[0], 'a');
    const worker = new Worker('bench', async (job) => {
        const wait = Buffer.alloc(8);
        wait.writeBigInt64LE(process.hrtime.bigint() - BigInt(job.data.t));
        fs.writeSync(fd, wait);
    }, { connection, concurrency: 64 });
    worker.on('error', (e) => console.error(e.message));
    await worker.waitUntilReady();
    console.log('ready');
    process.on('SIGTERM', () => process.exit(0));
} else {
    const queue = new Queue('bench', { connection });
    const n = Number(rest[0]);
    const send = (count) => {
        const jobs = [];
        for (let i = 0; i < count; ++i) jobs.push({ name: 'noop', data: { t: stamp() }, opts: options });
        return queue.addBulk(jobs);
    };
    const [rate, burst] = role === 'submit' ? [Infinity, bulk] : [Number(rest[1]), Number(rest[2])];
    await queue.waitUntilReady();
    console.log('start', stamp());
    const start = performance.now();
    for (let i = 0; i < n; i += burst) {
        const wait = start + i * 1000 / rate - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        await send(Math.min(burst, n - i));
    }
    await queue.close();
}
