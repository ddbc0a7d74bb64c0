/** Which platforms have a prebuilt native core, and which of them this is. */

/** The folders of `npm/`, and the endings of the platform packages' names. */
export const PLATFORMS = [
  "linux-x64-gnu",
  "linux-arm64-gnu",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "win32-x64-msvc",
];

/** The version of glibc that runs this process; `undefined` with musl, and elsewhere than on Linux. */
export function glibcVersion(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime;
}

/** The name of this platform as `PLATFORMS` spells it, be it among them or not. */
export function platformName(): string {
  const { platform, arch } = process;
  if (platform === "linux") return `linux-${arch}-${glibcVersion() === undefined ? "musl" : "gnu"}`;
  return platform === "win32" ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}
