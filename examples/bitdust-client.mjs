#!/usr/bin/env node
/**
 * A small client of a BitDust node for browsers and Node: calls, events and live models over its WebSocket.
 * No dependencies. It uses the WebSocket that browsers and Node 22 have; Node 20 has it with --experimental-websocket.
 *
 *     node bitdust-client.mjs health
 *     node bitdust-client.mjs call file_info remote_path=cats/cat.jpg
 *     node bitdust-client.mjs watch events 'service-*' 'backup-*'
 *     node bitdust-client.mjs watch model service
 *
 * In a page (its origin must be on localhost, or in the setting interface/api/allowed-origins):
 *
 *     import { BitDust } from "./bitdust-client.mjs";
 *     const node = new BitDust(() => ({ port: 8280, rest: 8180, secret }));
 *     node.onGap = (gap) => console.warn("missed", gap);
 *     console.log(await node.call("identity_get"));
 *     await node.watch((event) => console.log(event.event_id, event.data), "service-*");
 *     await node.model("service", (snapshot) => show(snapshot.id, snapshot.data.state));
 *
 * When the connection breaks the client comes back by itself, tells the node which event of which run it saw last, and
 * gets what it has missed; what the node does not remember any more comes as a gap. A call whose answer was lost is
 * rejected and not repeated, because nobody knows whether it was done. See docs/api/websocket.md.
 */

const PATIENCE = 30_000;
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 10_000;

/** The node answered with an error: `code` is stable, the message is for a person. */
export class CallFailed extends Error {
  constructor(envelope) {
    super((envelope.errors ?? []).join("; ") || "the node gave no reason");
    this.code = envelope.code ?? "";
    this.envelope = envelope;
  }
}

/** One node. `find` gives its ports and secret, or a promise of them; it is asked again for every connection. */
export class BitDust {
  #find;
  #socket = null;
  #opening = null;
  #closed = false;
  #answers = new Map();
  #number = 0;
  #patterns = null;
  #onEvent = null;
  #models = new Map();
  #place = null;
  #pause = FIRST_PAUSE;

  constructor(find) {
    this.#find = find;
    this.onGap = () => {};
    this.onState = () => {};
  }

  /** The result of an API method; rejected with `CallFailed`, or an `Error` when no answer came. */
  async call(method, kwargs = {}, patience = PATIENCE) {
    const envelope = await this.#ask({ command: "api_call", method, kwargs }, patience);
    if (envelope.status !== "OK") throw new CallFailed(envelope);
    return envelope.result;
  }

  /** Call `onEvent` with every event whose id matches one of the patterns; with all of them without patterns. */
  async watch(onEvent, ...patterns) {
    this.#onEvent = onEvent;
    this.#patterns = patterns.length ? patterns : ["*"];
    const envelope = await this.#ask({ command: "subscribe", events: this.#patterns });
    if (envelope.status !== "OK") throw new CallFailed(envelope);
    this.#place ??= { run: envelope.result.run, seq: envelope.result.seq };
  }

  /** Call `onSnapshot` with all snapshots {name, id, data, created, deleted?} of a model, and with every change. */
  async model(name, onSnapshot) {
    this.#models.set(name, onSnapshot);
    return this.call("enable_model_listener", { model_name: name, request_all: true });
  }

  /** Hang up, and do not come back. */
  close() {
    this.#closed = true;
    this.#socket?.close(1000);
    this.#lost("the client was closed");
  }

  async #ask(message, patience = PATIENCE) {
    const socket = await this.#connected();
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#answers.delete(number);
        reject(new Error(`no answer within ${patience / 1000} seconds`));
      }, patience);
      const done = (settle) => (value) => {
        clearTimeout(late);
        this.#answers.delete(number);
        settle(value);
      };
      this.#answers.set(number, { resolve: done(resolve), reject: done(reject) });
      socket.send(JSON.stringify({ ...message, call_id: number }));
    });
  }

  #connected() {
    if (this.#closed) return Promise.reject(new Error("the client was closed"));
    if (this.#socket) return Promise.resolve(this.#socket);
    this.#opening ??= this.#open().finally(() => (this.#opening = null));
    return this.#opening;
  }

  async #open() {
    const { port, rest, secret } = await this.#find();
    const wishes = new URLSearchParams(await admission(rest, secret));
    wishes.set("events", (this.#patterns ?? ["none"]).join(","));
    if (this.#place) {
      wishes.set("run", this.#place.run);
      wishes.set("after", this.#place.seq);
    }
    const socket = new WebSocket(`ws://127.0.0.1:${port}/?${wishes}`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("the node does not answer, or refuses this client"));
    });
    if (this.#closed) {
      socket.close(1000);
      throw new Error("the client was closed");
    }
    this.#socket = socket;
    this.#pause = FIRST_PAUSE;
    socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => this.#lost(`the connection broke: ${code} ${reason}`);
    this.onState("connected");
    for (const [name, onSnapshot] of this.#models) this.model(name, onSnapshot).catch(() => {});
    return socket;
  }

  #heard({ type, payload }) {
    if (type === "api_call") {
      this.#answers.get(payload.call_id)?.resolve(payload.response);
    } else if (type === "event") {
      this.#place = { run: payload.run, seq: payload.seq };
      this.#onEvent?.(payload);
    } else if (type === "model") {
      this.#models.get(payload.name)?.(payload);
    } else if (type === "gap") {
      this.onGap(payload);
    }
  }

  #lost(why) {
    this.#socket = null;
    for (const { reject } of [...this.#answers.values()]) reject(new Error(why));
    if (this.#closed) return;
    this.onState(why);
    if (this.#onEvent || this.#models.size) this.#comeBack();
  }

  #comeBack() {
    setTimeout(() => {
      if (!this.#closed) this.#connected().catch(() => this.#comeBack());
    }, this.#pause);
    this.#pause = Math.min(LONGEST_PAUSE, 2 * this.#pause);
  }
}

/** What opens one socket: a ticket, because addresses end up in histories; the secret without the port of REST. */
async function admission(rest, secret) {
  if (!rest) return { api_secret: secret };
  const asked = { method: "POST", headers: { api_secret: secret } };
  const envelope = await (await fetch(`http://127.0.0.1:${rest}/api/websocket_ticket`, asked)).json();
  if (envelope.status !== "OK") throw new CallFailed(envelope);
  return { ticket: envelope.result.ticket };
}

/** For Node: where the home folder of a node says that it is. */
export function atHome(home) {
  return async () => {
    const { readFile } = await import("node:fs/promises");
    try {
      const ports = JSON.parse(await readFile(`${home}/metadata/apiports`, "utf8"));
      return { port: ports.websocket, rest: ports.rest, secret: (await readFile(`${home}/apisecret`, "utf8")).trim() };
    } catch {
      throw new Error(`no node runs in ${home}: start it with: bitdust daemon`);
    }
  };
}

// the command line

const USAGE = `usage: node bitdust-client.mjs [--home HOME] COMMAND
  health                              ask whether the node works
  call METHOD [key=text | key:=JSON]  call a method of the API
  watch events [PATTERN …]            show events as they come, one line of JSON each
  watch model NAME                    show a model: all of it, then every change
  --count N                           end watching after so many lines
`;

async function main(words) {
  const option = (name, otherwise) => {
    const at = words.indexOf(name);
    return at < 0 ? otherwise : words.splice(at, 2)[1];
  };
  const home = option("--home", `${process.env.HOME}/.bitdust`);
  let left = Number(option("--count", 0));
  const [command, what, ...names] = words;
  const node = new BitDust(atHome(home));
  const show = (line) => console.log(JSON.stringify(line));
  node.onGap = (gap) => show({ gap });
  if (command === "health") {
    await node.call("process_health");
    console.log("the node is healthy");
  } else if (command === "call" && what) {
    show((await node.call(what, Object.fromEntries(names.map(argument)))) ?? null);
  } else if (command === "watch" && (what === "events" || (what === "model" && names.length === 1))) {
    await new Promise((resolve, reject) => {
      const line = (message) => {
        if (left >= 0) show(message);
        if (--left === 0) resolve(left--);
      };
      (what === "events" ? node.watch(line, ...names) : node.model(names[0], line)).catch(reject);
    });
  } else {
    process.stderr.write(USAGE);
    process.exitCode = 2;
  }
  node.close();
}

function argument(word) {
  const [, name, json, value] = /^([^=:]+)(:?)=(.*)$/s.exec(word) ?? [];
  if (!name) throw new Error(`${word} is no argument: write key=text, or key:=JSON`);
  return [name, json ? JSON.parse(value) : value];
}

/** Whether this file is the program, and no part of another one; its path may hold blanks, or be a link. */
async function isProgram() {
  const path = globalThis.process?.argv?.[1];
  if (!path) return false;
  const [{ realpathSync }, { pathToFileURL }] = await Promise.all([import("node:fs"), import("node:url")]);
  try {
    return import.meta.url === pathToFileURL(realpathSync(path)).href;
  } catch {
    return false;
  }
}

if (await isProgram()) {
  if (typeof WebSocket === "undefined") {
    process.stderr.write("this Node has no WebSocket: use Node 22, or Node 20 with --experimental-websocket\n");
    process.exitCode = 2;
  } else {
    main(process.argv.slice(2)).catch((error) => {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    });
  }
}
