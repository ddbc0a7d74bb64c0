// A setup file of Vitest: tells the plugin which files the worker is made of, and fails the test file if the worker cannot run.
const environment = globalThis[Symbol.for("ferroflare.isolation")];

if (environment) {
  const files = encodeURIComponent(JSON.stringify(environment.files));
  await import(/* @vite-ignore */ `ferroflare:files?${files}`);
  if (environment.failure) throw environment.failure.error;
}
