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

/** The command that runs this package's command in the project. */
export function doctorCommandLine({ name }: Manager): string {
  return name === "pnpm" ? "pnpm dlx ferroflare doctor" : "npx ferroflare doctor";
}

/** Ranges such as `^2.14.4` and `>=2` mean something to shells. */
function quoted(spec: string): string {
  return /^[\w@./-]+$/.test(spec) ? spec : `"${spec}"`;
}
