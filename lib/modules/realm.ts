/** Makes what worker code sees of the linking in the worker's own realm: errors, and the promises of `import()`. */
import vm from "node:vm";

export interface Realm {
  syntaxError(message: string): SyntaxError;
  /** Throws what an assignment to an import throws; the stack starts above `above`. */
  refuseAssignment(above: object): never;
  /** Throws what the use of an uninitialized variable throws; the stack starts above `above`. */
  refuseEarlyUse(name: string, above: object): never;
  /** Returns the function that stands for `import()`. */
  importFunction(
    load: (specifier: string) => Promise<object>,
  ): (specifier: unknown) => Promise<object>;
  /** A function that returns its argument. */
  value<T>(value: T): T;
}

const script = new vm.Script(
  `({
  syntaxError(message) {
    const error = new SyntaxError(message);
    Error.captureStackTrace(error, this.syntaxError);
    return error;
  },
  refuseAssignment(above) {
    const error = new TypeError("Assignment to constant variable.");
    Error.captureStackTrace(error, above);
    throw error;
  },
  refuseEarlyUse(name, above) {
    const error = new ReferenceError("Cannot access '" + name + "' before initialization");
    Error.captureStackTrace(error, above);
    throw error;
  },
  importFunction: (load) => async (specifier) => load(\`\${specifier}\`),
  value: (value) => value,
})`,
  { filename: "ferroflare:modules" },
);

const realms = new WeakMap<vm.Context, Realm>();

export function realmOf(context: vm.Context): Realm {
  let realm = realms.get(context);
  if (realm === undefined) {
    realm = script.runInContext(context) as Realm;
    realms.set(context, realm);
  }
  return realm;
}
