/** `ferroflare objects`: lists, shows, exports, queries and deletes the objects of a directory or a Redis, also while workers use it. */

import type { StoredObjects } from "../../native/raw-objects";
import { PERSIST_DEFAULT } from "../../shared/default-place";
import { nearest } from "../../shared/nearest";
import { EXEC_NAME, UsageError } from "../errors";
import { openObjects, placeFlags } from "../place";
import { type Arguments, type Flags, hint, print, readArguments, suggestion } from "../subcommand";
import { exportLines, list, remove, show } from "./actions";
import { query } from "./query";

interface Action {
  /** What follows the action's name, for the help text. */
  usage: string;
  help: string;
  flags: Flags;
  /** Most words that it takes. */
  words: number;
  run(objects: StoredObjects, given: Arguments, place: string): Promise<void>;
}

const PLACE_HELP = `  --do-persist PLACE   The directory of the objects, or a redis:// URL (./${PERSIST_DEFAULT} by default)`;
const JSON_HELP = "  --json               Print lines of JSON, for programs";
const ID_HELP = "  --id-from-name TEXT  The object that idFromName(TEXT) names, in the place of ID";

const ACTIONS: Record<string, Action> = {
  list: {
    usage: "list [NAME]",
    help: `Lists the objects, or those of a binding, one a line: binding, id, name and pending alarm.

Options:
${PLACE_HELP}
  --name NAME          The same as NAME
  --keys               Also count the keys, for which each object is read
${JSON_HELP}`,
    flags: { name: "value", keys: "flag", json: "flag" },
    words: 1,
    run: list,
  },
  show: {
    usage: "show NAME ID",
    help: `Shows the keys and values of an object, its alarm and, if it is SQLite-backed, its tables.

Options:
${PLACE_HELP}
${ID_HELP}
${JSON_HELP}, as export does`,
    flags: { "id-from-name": "value", json: "flag" },
    words: 2,
    run: show,
  },
  export: {
    usage: "export [NAME [ID]]",
    help: `Prints all objects, those of a binding, or one, as lines of JSON:
  {"name", "id", "key", "value"}               for a key
  {"name", "id", "key", "type", "valueBase64"} for a value that JSON cannot express: V8's serialization of it,
                                               for node:v8's deserialize(); type says what it is ("Map", "Date"...)
  {"name", "id", "alarm"}                      for an alarm, in milliseconds since 1970
  {"name", "id", "table", "sql"}               for a table of a SQLite-backed object, which its rows follow:
  {"name", "id", "table", "row"}               bytes are {"base64"}
Each object is read as it is at one moment, as a whole. So it has to fit into memory.

Options:
${PLACE_HELP}
${ID_HELP}`,
    flags: { "id-from-name": "value" },
    words: 2,
    run: exportLines,
  },
  query: {
    usage: "query NAME ID SQL",
    help: `Runs SQL on the database of a SQLite-backed object, and prints the rows of the last statement as a table.
It sees the tables of the object as its class does; keys and values are shown by "objects show".

Options:
${PLACE_HELP}
${ID_HELP}
  --write              Let the statements write; without it one that writes is refused
  --json               Print each row as a line of JSON; bytes are {"base64"}`,
    flags: { "id-from-name": "value", write: "flag", json: "flag" },
    words: 3,
    run: query,
  },
  delete: {
    usage: "delete NAME ID",
    help: `Deletes an object: its keys, its tables, its alarm and, in files, its directory.

Options:
${PLACE_HELP}
${ID_HELP}
  --all                Delete all objects, or all of NAME
  --yes                Do not ask; without a terminal to ask on, --all needs it`,
    flags: { "id-from-name": "value", all: "flag", yes: "flag" },
    words: 2,
    run: remove,
  },
};

const HELP = `Usage: ${EXEC_NAME} objects COMMAND [options]

Commands:
  list [NAME]          List the objects, one a line
  show NAME ID         Show the keys and values of an object
  export [NAME [ID]]   Print objects as lines of JSON
  query NAME ID SQL    Query the database of a SQLite-backed object
  delete NAME ID       Delete an object

NAME is the name of a binding. Workers may use the place meanwhile.
Run "${EXEC_NAME} objects COMMAND --help" for the options of a command.`;

/** Runs `ferroflare objects` with what follows on the command line. */
export async function objectsCommand(argv: string[]): Promise<void> {
  const [word, ...rest] = argv;
  if (word === undefined || word === "--help" || word === "-h") {
    if (word === undefined) throw new UsageError(`Which command? ${hint("objects")}`);
    return print(HELP);
  }
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
  if (action === undefined) {
    const meant = nearest(word, Object.keys(ACTIONS));
    throw new UsageError(
      `Unknown command "objects ${word}".${suggestion(meant, "objects ")} ${hint("objects")}`,
    );
  }
  const command = `objects ${word}`;
  const given = readArguments(rest, { ...action.flags, ...placeFlags }, command);
  if (given.flags.has("help")) {
    return print(`Usage: ${EXEC_NAME} objects ${action.usage} [options]\n\n${action.help}`);
  }
  const extra = given.words[action.words];
  if (extra !== undefined) throw new UsageError(`Unexpected argument "${extra}". ${hint(command)}`);
  const { objects, place } = openObjects(given);
  try {
    await action.run(objects, given, place);
  } finally {
    await objects.close();
  }
}
