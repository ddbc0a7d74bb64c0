// The library: its catalogue, and a book that is added by POST.
import type { Env, NewBook } from "./library";

export { Library } from "./library";
export { Loans } from "./loans";

export default {
  async fetch(request, env): Promise<Response> {
    const library = env.LIBRARY.getByName("main");
    if (request.method === "POST") {
      return Response.json(await library.add((await request.json()) as NewBook));
    }
    return Response.json(await library.catalogue());
  },
} satisfies ExportedHandler<Env>;
