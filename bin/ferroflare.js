#!/usr/bin/env node

// Starts the command in a Node.js that links modules itself (--experimental-vm-modules): whatever syntax it knows, and no row of
// COMPAT.md about modules. Without the flag the package links them.

var FLAG = "--experimental-vm-modules";
var NODE_MAJOR_MIN = 18;

/** Starts Node.js again with the flag, and passes on signals and the way it ended. */
function respawn(nodeArguments) {
  var child = require("node:child_process").spawn(process.execPath, nodeArguments, {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  ["SIGINT", "SIGTERM", "SIGHUP"].forEach((signal) => {
    process.on(signal, () => {
      if (child.connected) child.send({ signal: signal });
    });
  });
  child.on("error", (error) => {
    console.error(`ferroflare: Cannot start ${process.execPath}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    process.exit(128 + require("node:os").constants.signals[signal]);
  });
}

/** Without a native core there is one line to say, not a stack. */
function loadCommand() {
  try {
    return require("../dist/cli/main.js");
  } catch (error) {
    if (error.code !== "ERR_NO_NATIVE_CORE") throw error;
    console.error(error.message);
    process.exit(1);
  }
}

function start() {
  var nodeMajor = Number.parseInt(process.versions.node, 10);
  if (nodeMajor < NODE_MAJOR_MIN) {
    console.error(
      `ferroflare: needs Node.js ${NODE_MAJOR_MIN} or newer, and this is ${process.versions.node}.`,
    );
    process.exitCode = 1;
    return;
  }
  if ("SourceTextModule" in require("node:vm")) {
    loadCommand().main(process.argv.slice(2));
    return;
  }
  var nodeArguments = [FLAG].concat(process.execArgv, __filename, process.argv.slice(2));
  if (process.execve && process.platform !== "win32") {
    process.execve(process.execPath, [process.execPath].concat(nodeArguments), process.env);
  }
  respawn(nodeArguments);
}

start();
