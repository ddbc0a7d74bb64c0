/** The option `--manager` of the commands that look at a project. */

import { nearest } from "../../shared/nearest";
import { UsageError } from "../errors";
import { type Arguments, type Flags, hint, suggestion } from "../subcommand";
import { detectManager, isManager, MANAGERS, type Manager } from "./package-manager";

export const managerFlags: Flags = { manager: "value" };

/** The package manager that the user has named, or that the project shows. */
export function managerOf(root: string, { values }: Arguments, command: string): Manager {
  const name = values.get("manager");
  if (name === undefined || isManager(name)) return detectManager(root, name);
  const meant = nearest(name, MANAGERS);
  throw new UsageError(
    `--manager "${name}": choose one of ${MANAGERS.join(", ")}.${suggestion(meant)} ${hint(command)}`,
  );
}
