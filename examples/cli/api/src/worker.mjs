// The worker that exports the class which the other one uses.
export class Greeter {
  fetch() {
    return new Response("hello from api");
  }
}

export default {
  fetch() {
    return new Response("api");
  },
};
