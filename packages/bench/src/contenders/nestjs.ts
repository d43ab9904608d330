import 'reflect-metadata';
import { Controller, Get, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { PORT, requestTimeChecks } from './checks.ts';

const checks = requestTimeChecks();

class HealthController {
  readonly health: HealthCheckService;
  constructor(health: HealthCheckService) {
    this.health = health;
  }
  check(): Promise<unknown> {
    return this.health.check(
      Object.entries(checks).map(([name, check]) => async () => {
        await check();
        return { [name]: { status: 'up' as const } };
      }),
    );
  }
}
class AppModule {}

// Decorators as functions: their syntax cannot be stripped.
const method = Object.getOwnPropertyDescriptor(HealthController.prototype, 'check') as PropertyDescriptor;
Inject(HealthCheckService)(HealthController, undefined, 0);
Get()(HealthController.prototype, 'check', method);
Controller('readyz')(HealthController);
Module({ imports: [TerminusModule], controllers: [HealthController] })(AppModule);
const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(PORT, '127.0.0.1');
