// Each test has storage of its own.
const env = getMiniflareBindings();
const id = env.COUNTER.idFromName("example");

test("counts from one", async () => {
  const response = await env.COUNTER.get(id).fetch("http://localhost/");
  expect(await response.text()).toBe("1");
});

test("starts again in each test", async () => {
  const storage = await getMiniflareDurableObjectStorage(id);
  expect(await storage.get("count")).toBeUndefined();
  await storage.put("count", 41);
  const response = await env.COUNTER.get(id).fetch("http://localhost/");
  expect(await response.text()).toBe("42");
});
