/** Makes a server listen on the host and port of the HTTP options, and reports where, or why it cannot. */
import type http from "node:http";
import type https from "node:https";
import { DEFAULT_PORT, getAccessibleHosts } from "@miniflare/http-server";
import type { Log } from "@miniflare/shared";

export interface ListenOptions {
  host?: string;
  port?: number;
  httpsEnabled: boolean;
}

/** The server could not listen; `code` is that of the system call, such as `EADDRINUSE`. */
export class ListenError extends Error {
  override readonly name = "ListenError";

  constructor(
    message: string,
    readonly code: string | undefined,
    cause: unknown,
  ) {
    super(message, { cause });
  }
}

function explain(error: NodeJS.ErrnoException, host: string | undefined, port: number): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `Cannot listen on port ${port}: it is already in use. Choose another port (--port, port).`;
    case "EACCES":
      return `Cannot listen on port ${port}: permission denied. Choose a port above 1023 (--port, port).`;
    case "ERR_SOCKET_BAD_PORT":
      return `Cannot listen on port ${port}: ports are 0 to 65535. Choose another port (--port, port).`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `Cannot listen on host "${host}": it is not an address of this machine. Choose another host (--host, host).`;
    default:
      return `Cannot listen on ${host ?? ""}:${port}: ${error.message}.`;
  }
}

function report(server: http.Server | https.Server, options: ListenOptions, log: Log): void {
  const { host, httpsEnabled } = options;
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : options.port;
  const hosts = host && host !== "0.0.0.0" ? [host] : getAccessibleHosts(true);
  log.info(`Listening on ${host ?? ""}:${port}`);
  for (const accessible of hosts) {
    log.info(`- ${httpsEnabled ? "https" : "http"}://${accessible}:${port}`);
  }
}

/**
 * # Errors
 * Rejects with a `ListenError` that names the host or port and what to do.
 */
export function listen<Server extends http.Server | https.Server>(
  server: Server,
  options: ListenOptions,
  log: Log,
): Promise<Server> {
  const { host, port = DEFAULT_PORT } = options;
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      reject(new ListenError(explain(error, host, port), error.code, error));
    };
    server.once("error", fail);
    try {
      server.listen(port, host, () => {
        server.off("error", fail);
        report(server, options, log);
        resolve(server);
      });
    } catch (error) {
      fail(error as NodeJS.ErrnoException);
    }
  });
}
