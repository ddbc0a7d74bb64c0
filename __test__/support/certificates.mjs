// Makes certificates with openssl: an authority of the test's own, and a server's that it has signed.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(directory, ...args) {
  try {
    return execFileSync("openssl", args, { cwd: directory, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    throw new Error(
      `openssl ${args[0]} failed (${error.stderr || error.message}). Run \`npm run setup\`.`,
    );
  }
}

/** Files in `directory`: `ca`, and `cert` and `key` of a server at 127.0.0.1 and localhost. */
export function makeCertificates(directory) {
  const file = (name) => path.join(directory, name);
  const days = ["-days", "2"];
  const authority = [
    "-subj",
    "/CN=ferroflare test authority",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
  ];
  openssl(directory, "req", "-x509", ...NEW_KEY, ...authority, ...days);
  const request = ["-subj", "/CN=ferroflare test server", "-keyout", "server.key"];
  openssl(directory, "req", ...NEW_KEY, ...request, "-out", "server.csr");
  writeFileSync(file("names.cnf"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
  const names = ["-extfile", "names.cnf"];
  const signed = ["-in", "server.csr", "-out", "server.pem"];
  openssl(directory, "x509", "-req", ...signed, ...signer, ...names, ...days);
  return { ca: file("ca.pem"), cert: file("server.pem"), key: file("server.key") };
}
