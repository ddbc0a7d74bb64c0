/** What to run after the overrides have changed, in words of the package manager. */
import { installed, usersNamed } from "../project/installed";
import { type Manager, readPackage } from "../project/package-manager";

/**
 * The command that installs what the overrides say now.
 *
 * npm leaves an installed package where it is. It then puts the replacement below the package that uses it, where no
 * command is found. Naming the user makes it place both again.
 */
export function installCommand(root: string, { name }: Manager): string {
  if (name !== "npm") return `${name} install`;
  const { dependencies = {}, devDependencies = {} } = readPackage(root);
  const specs = usersNamed().flatMap((user) => {
    const range = devDependencies[user] ?? dependencies[user];
    return range !== undefined && installed(user, root) ? [`${user}@${range}`] : [];
  });
  if (specs.length === 0) return "npm install";
  const kind = specs.some((spec) => dependencies[spec.split("@", 1)[0]!]) ? "" : "--save-dev ";
  return `npm install ${kind}${specs.map(quoted).join(" ")}`;
}

export function doctorCommandLine(root: string, manager: Manager): string {
  return ownCommandLine(root, manager, "doctor");
}

/** Runs this package's command in the project; it need not be one of its dependencies. */
export function ownCommandLine(root: string, { name }: Manager, words: string): string {
  const { dependencies = {}, devDependencies = {} } = readPackage(root);
  const isDirect = (dependencies.ferroflare ?? devDependencies.ferroflare) !== undefined;
  const runner = {
    npm: "npx",
    pnpm: isDirect ? "pnpm exec" : "pnpm dlx",
    yarn: isDirect ? "yarn" : "npx",
    bun: "bunx",
  }[name];
  return `${runner} ferroflare ${words}`;
}

/** Ranges such as `^2.14.4` and `>=2` mean something to shells. */
function quoted(spec: string): string {
  return /^[\w@./-]+$/.test(spec) ? spec : `"${spec}"`;
}
