// lightship runs no checks: a service tells it whether it is ready. Here it is told every 5 s by the three checks.
import { createLightship } from 'lightship';
import { PORT, requestTimeChecks } from './checks.ts';

const checks = requestTimeChecks();
const lightship = await createLightship({ detectKubernetes: false, port: PORT });
const look = async (): Promise<void> => {
  try {
    await Promise.all(Object.values(checks).map((check) => check()));
    lightship.signalReady();
  } catch {
    lightship.signalNotReady();
  }
};
await look();
setInterval(look, 5000);
