import { open } from 'node:fs';
import { endProcess } from '../../src/ending.ts';

// Ends with code 3 on SIGTERM, while a thread waits in the kernel for somebody to read the pipe that it opens.
process.on('SIGTERM', () => endProcess(process, 3));
open(process.argv[2] ?? '', 'w', () => undefined);
setInterval(() => undefined, 1_000);
process.stdout.write('stuck\n');
