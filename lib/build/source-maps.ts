/** Stack traces of built scripts name the sources: files and lines that a user has written. */
import { findSourceMap, SourceMap, type SourceMapPayload } from "node:module";
import path from "node:path";

/** What V8 gives for each frame of a stack. */
type Frame = NodeJS.CallSite;
type Prepare = (error: unknown, frames: Frame[]) => unknown;
type ErrorClass = { prepareStackTrace?: Prepare };

/** On a function that maps stack traces, so that its realm gets no second one. */
const kMaps = Symbol.for("ferroflare.mapsStackTraces");

const maps = new Map<string, SourceMap>();

/** `file` is the name that the built script runs under; the sources of the map are relative to its directory. */
export function noteSourceMap(file: string, json: string): void {
  const payload: SourceMapPayload = JSON.parse(json);
  const directory = path.dirname(file);
  const sources = payload.sources.map((source) => path.resolve(directory, source));
  maps.set(file, new SourceMap({ ...payload, sources, sourceRoot: "" }));
}

export function hasBuiltScripts(): boolean {
  return maps.size > 0;
}

/** Lets stack traces of errors of a realm, by its class `Error`, name the sources. */
export function mapStackTraces(realm: object): void {
  const Errors = realm as ErrorClass;
  const before = Errors.prepareStackTrace;
  if (typeof before === "function" && kMaps in before) return;
  // Without a function of its own, Node.js asks that of the main realm.
  const others = () => before ?? (realm === Error ? undefined : Error.prepareStackTrace);
  const prepare: Prepare = (error, frames) => {
    const next = (others() as Prepare | undefined) ?? plain;
    if (!frames.some(isBuilt)) return next.call(realm, error, frames);
    const lines = frames.map((frame) =>
      isBuilt(frame) ? mapped(frame) : lineOf(next.call(realm, error, [frame]), frame),
    );
    return [headOf(error), ...lines.map((line) => `    at ${line}`)].join("\n");
  };
  Object.defineProperty(prepare, kMaps, { value: true });
  const descriptor = { value: prepare, writable: true, configurable: true, enumerable: false };
  Object.defineProperty(realm, "prepareStackTrace", descriptor);
}

function isBuilt(frame: Frame): boolean {
  return maps.has(fileOf(frame));
}

function fileOf(frame: Frame): string {
  const name: unknown = frame.getFileName();
  return typeof name === "string" ? name : "";
}

/** A frame of a built script in its source. */
function mapped(frame: Frame): string {
  return inSource(frame, maps.get(fileOf(frame)));
}

function inSource(frame: Frame, map: SourceMap | undefined): string {
  const [file, row, column] = [fileOf(frame), frame.getLineNumber(), frame.getColumnNumber()];
  if (map === undefined || row === null || column === null) return String(frame);
  const found = map.findEntry(row - 1, column - 1);
  if (!("originalSource" in found)) return String(frame);
  const place = `${found.originalSource}:${found.originalLine + 1}:${found.originalColumn + 1}`;
  return String(frame).replace(`${file}:${row}:${column}`, () => place);
}

/** The frame's line in a stack of only this frame. */
function lineOf(stack: unknown, frame: Frame): string {
  const at = String(stack).lastIndexOf("\n    at ");
  return at === -1 ? String(frame) : String(stack).slice(at + "\n    at ".length);
}

/** A stack as Node.js writes it, also with --enable-source-maps: it leaves that to functions like ours. */
function plain(error: unknown, frames: Frame[]): string {
  const { sourceMapsEnabled } = process as { sourceMapsEnabled?: boolean };
  const shown = (frame: Frame) =>
    sourceMapsEnabled ? inSource(frame, findSourceMap(fileOf(frame))) : String(frame);
  return [headOf(error), ...frames.map((frame) => `    at ${shown(frame)}`)].join("\n");
}

function headOf(error: unknown): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "<error>";
  }
}
