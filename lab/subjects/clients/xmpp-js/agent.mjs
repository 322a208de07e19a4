// The agent of xmpp.js: reads commands (docs/clients.md), has the client carry them out, and answers each once.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { Client } from "./client.mjs";
import { Failed, tell, Unsupported, words } from "./told.mjs";

const PATIENCE = 120_000; // milliseconds that a command may take, at most: the lab gives up before
const FAREWELL = 2_000; // milliseconds to log out in, at the end

// Command -> the arguments that it needs, and those that it may have. What is not here, xmpp.js has no module for.
const ARGUMENTS = {
  connect: [[], []],
  disconnect: [[], []],
  "send-message": [["to", "body"], ["type"]],
  "send-presence": [[], ["show", "status", "priority", "to"]],
  subscribe: [["jid"], []],
  accept: [["jid"], []],
  refuse: [["jid"], []],
  unsubscribe: [["jid"], []],
};

const { version } = JSON.parse(readFileSync(new URL("node_modules/@xmpp/client/package.json", import.meta.url)));
const client = new Client(process.env);

function read(line) {
  try {
    const { id, command, ...given } = JSON.parse(line);
    return Number.isInteger(id) && typeof command === "string" ? { id, command, given } : null;
  } catch {
    return null;
  }
}

async function carryOut(command, given) {
  if (!Object.hasOwn(ARGUMENTS, command)) throw new Unsupported("xmpp.js has no module for it");
  const [needed, optional] = ARGUMENTS[command];
  const known = new Set([...needed, ...optional]);
  // A receipt that is not asked for is no argument at all.
  const asked = Object.keys(given).filter((name) => name !== "receipt" || given[name]);
  if (!needed.every((name) => Object.hasOwn(given, name)) || !asked.every((name) => known.has(name))) {
    throw new Unsupported("not with these arguments");
  }
  if (command !== "connect" && !client.online) throw new Failed("not connected");
  return within(PATIENCE, client[command](given));
}

async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Failed(`not within ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function answer({ id, command, given }) {
  try {
    tell("done", { id, ...(await carryOut(command, given)) });
  } catch (error) {
    tell(error instanceof Unsupported ? "unsupported" : "failed", { id, reason: words(error) });
  }
}

// The library leaves promises behind that nobody awaits (a start that has failed already, say).
process.on("unhandledRejection", (error) => tell("log", { text: `unhandled: ${words(error)}` }));

let last = Promise.resolve(); // of the commands, which are carried out one after the other
createInterface({ input: process.stdin, crlfDelay: Infinity })
  .on("line", (line) => {
    const command = read(line);
    if (command) last = last.then(() => answer(command));
    else tell("log", { text: `no command: ${line.slice(0, 200)}` });
  })
  .on("close", async () => {
    await within(FAREWELL, client.end()).catch((error) => console.error(words(error)));
    process.exit(0);
  });
tell("ready", { client: "xmpp.js", version });
