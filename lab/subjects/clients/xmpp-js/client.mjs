// xmpp.js as its documentation has it used: stanzas built with xml(), sent by the client, read as they come.

import { lookup } from "node:dns/promises";

import { client, xml } from "@xmpp/client";
import id from "@xmpp/id";

import { Failed, tell, words } from "./told.mjs";

const CONTENT = "jabber:client"; // else a body in another namespace is found, too
const STREAMS = "http://etherx.jabber.org/streams";
const TYPES = new Set(["chat", "normal", "groupchat", "headline"]);
const TIMEOUT = 60_000; // milliseconds for each step of a login: SCRAM alone takes the library seconds on a busy machine
const REFLECTED = 2_000; // milliseconds for one's own presence to come back

export class Client {
  online = false;
  #environment;
  #xmpp = null;
  #connecting = false;
  #leaving = false;
  #redirected = false; // to another host, where the library goes once this connection is closed
  #reason = ""; // why the connection ends: the last error

  constructor(environment) {
    this.#environment = environment;
  }

  // --- the connection

  async connect() {
    if (this.online) throw new Failed("connected already");
    this.#reason = "";
    this.#leaving = this.#redirected = false;
    // One that lost its connection takes it up again, as it would by itself in a moment.
    const again = this.#xmpp !== null && this.#xmpp.status !== "offline";
    const xmpp = (this.#xmpp = again ? this.#xmpp : await this.#made());
    xmpp.reconnect.stop(); // it is the lab that says when, until it is online
    this.#connecting = true;
    try {
      const [came, lost] = [this.#comes(xmpp), this.#fails(xmpp)];
      if (!again) await Promise.race([xmpp.start(), lost]);
      else if (xmpp.status === "disconnect") await Promise.race([xmpp.reconnect.reconnect(), lost]);
      await this.#becomesAvailable(xmpp, await Promise.race([came, lost]));
    } catch (error) {
      this.#xmpp = null;
      xmpp.stop().catch((failure) => console.error(words(failure)));
      throw error;
    } finally {
      this.#connecting = false;
    }
    return { jid: xmpp.jid.toString() };
  }

  // Never fulfilled; rejected where the connection is lost, unless the library goes where the server sent it.
  #fails(xmpp) {
    const lost = new Promise((_, reject) => {
      const over = () => {
        if (!this.#redirected) return reject(new Failed(this.#reason || "disconnected"));
        this.#redirected = false;
        xmpp.once("disconnect", over);
      };
      xmpp.once("disconnect", over);
      xmpp.once("error", reject);
    });
    lost.catch(() => {});
    return lost;
  }

  // Whether it comes online by a stream that is resumed, once it does.
  #comes(xmpp) {
    return new Promise((resolve) => {
      xmpp.once("online", () => resolve(false));
      xmpp.streamManagement.once("resumed", () => resolve(true));
    });
  }

  // Behind a resumption, the server knows of its presence still.
  async #becomesAvailable(xmpp, resumed) {
    if (!resumed) {
      const [reflected, lost] = [this.#reflected(xmpp), this.#fails(xmpp)];
      await xmpp.send(xml("presence"));
      await Promise.race([reflected, lost]);
    }
    this.online = true;
    tell("online", { jid: xmpp.jid.toString() });
    xmpp.reconnect.start();
  }

  async #made() {
    const { XMPP_JID, XMPP_PASSWORD, XMPP_HOST, XMPP_PORT, XMPP_TLS, XMPP_RESOURCE } = this.#environment;
    const [username, domain] = XMPP_JID.split("@");
    const direct = XMPP_TLS === "direct";
    if (direct && (await lookup(domain)).address !== XMPP_HOST) {
      // With direct TLS, the library holds the certificate against the name that it connects to.
      throw new Failed(`${domain} is not at ${XMPP_HOST}`);
    }
    const host = XMPP_HOST.includes(":") ? `[${XMPP_HOST}]` : XMPP_HOST;
    const xmpp = client({
      service: direct ? `xmpps://${domain}:${XMPP_PORT}` : `xmpp://${host}:${XMPP_PORT}`,
      domain,
      username,
      password: XMPP_PASSWORD,
      resource: XMPP_RESOURCE || undefined,
      timeout: TIMEOUT,
    });
    xmpp.on("error", (error) => {
      this.#reason = words(error);
      console.error(error);
    });
    xmpp.on("nonza", (nonza) => {
      this.#redirected = nonza.is("error", STREAMS) && Boolean(nonza.getChild("see-other-host"));
    });
    xmpp.on("disconnect", () => this.#lost(xmpp));
    xmpp.on("stanza", (stanza) => this.#show(stanza));
    return xmpp;
  }

  #lost(xmpp) {
    const lost = this.online && xmpp === this.#xmpp && !this.#leaving;
    this.online = false;
    if (!lost) return;
    tell("offline", { reason: this.#reason || undefined });
    this.#comesAgain(xmpp).catch((error) => console.error(words(error)));
  }

  // By itself.
  async #comesAgain(xmpp) {
    const resumed = await this.#comes(xmpp);
    if (this.#connecting) return;
    xmpp.reconnect.stop(); // else it is started twice
    await this.#becomesAvailable(xmpp, resumed);
  }

  // The server knows of one's presence: it has sent it back (RFC 6121 §4.2.2), or has had time enough to.
  #reflected(xmpp) {
    return new Promise((resolve) => {
      const timer = setTimeout(done, REFLECTED);
      function done() {
        clearTimeout(timer);
        xmpp.off("stanza", seen);
        resolve();
      }
      function seen(stanza) {
        if (stanza.is("presence") && stanza.attrs.from === xmpp.jid.toString()) done();
      }
      xmpp.on("stanza", seen);
    });
  }

  async disconnect() {
    this.#leaving = true;
    await this.#xmpp.send(xml("presence", { type: "unavailable" }));
    await this.#xmpp.stop();
  }

  async end() {
    if (this.online) await this.disconnect();
  }

  // --- what is sent

  async "send-message"({ to, body, type = "chat" }) {
    const sent = id();
    await this.#xmpp.send(xml("message", { type, to, id: sent }, xml("body", {}, body)));
    return { sent };
  }

  async "send-presence"({ to, ...told }) {
    const children = ["show", "status", "priority"]
      .filter((name) => told[name] !== undefined)
      .map((name) => xml(name, {}, String(told[name])));
    await this.#xmpp.send(xml("presence", { to }, ...children));
  }

  async subscribe({ jid }) {
    await this.#sendPresence("subscribe", jid);
  }

  async accept({ jid }) {
    await this.#sendPresence("subscribed", jid);
  }

  async refuse({ jid }) {
    await this.#sendPresence("unsubscribed", jid);
  }

  async unsubscribe({ jid }) {
    await this.#sendPresence("unsubscribe", jid);
  }

  async #sendPresence(type, to) {
    await this.#xmpp.send(xml("presence", { type, to, id: id() }));
  }

  // --- what comes

  #show(stanza) {
    const { from = "", to, type } = stanza.attrs;
    if (stanza.is("message") && type !== "error") {
      const body = stanza.getChildText("body", CONTENT);
      if (body !== null) {
        const kind = type === undefined ? "normal" : type;
        tell("message", { from, to, body, id: stanza.attrs.id, type: TYPES.has(kind) ? kind : undefined });
      }
    } else if (stanza.is("presence") && type === "subscribe") {
      tell("subscription-request", { from });
    } else if (stanza.is("presence") && (type === undefined || type === "unavailable")) {
      if (from === this.#xmpp?.jid?.toString()) return;
      const [show, status] = ["show", "status"].map((name) => stanza.getChildText(name, CONTENT) || undefined);
      tell("presence", { from, available: type === undefined, show, status });
    }
  }
}
