// A setup file of Vitest: tells the plugin which files the worker is made of, and fails the test file if the worker cannot run.
const environment = globalThis[Symbol.for("ferroflare.isolation")];

if (environment) {
  const files = encodeURIComponent(JSON.stringify(environment.files));
  const { coverage } = globalThis.__vitest_worker__?.config ?? {};
  const measured = coverage?.enabled ? "&coverage" : "";
  await import(/* @vite-ignore */ `ferroflare:files?${files}${measured}`);
  if (environment.failure) throw environment.failure.error;
}
