// xmpp.js as its documentation has it used: stanzas built with xml(), sent by the client, read as they come.

import { lookup } from "node:dns/promises";

import { client, xml } from "@xmpp/client";
import id from "@xmpp/id";

import { Failed, tell, words } from "./told.mjs";

const TYPES = new Set(["chat", "normal", "groupchat", "headline"]);
const TIMEOUT = 5_000; // milliseconds for each step of a login: the library's own two are few on a busy machine
const REFLECTED = 2_000; // milliseconds for one's own presence to come back

export class Client {
  online = false;
  #environment;
  #xmpp = null;
  #leaving = false;
  #reason = ""; // why the connection ends: the last error

  constructor(environment) {
    this.#environment = environment;
  }

  // --- the connection

  async connect() {
    if (this.online) throw new Failed("connected already");
    this.#reason = "";
    this.#leaving = false;
    // One that lost its connection takes it up again, as it would by itself if it were let.
    const again = this.#xmpp?.status === "disconnect";
    const xmpp = (this.#xmpp = again ? this.#xmpp : await this.#made());
    const lost = new Promise((_, reject) => {
      xmpp.once("disconnect", () => reject(new Failed(this.#reason || "disconnected")));
      xmpp.once("error", reject);
    });
    lost.catch(() => {});
    const online = new Promise((resolve) => {
      xmpp.once("online", resolve);
      xmpp.streamManagement.once("resumed", resolve);
    });
    try {
      await Promise.race([again ? xmpp.reconnect.reconnect() : xmpp.start(), lost]);
      await Promise.race([online, lost]);
      const reflected = this.#reflected(xmpp);
      await xmpp.send(xml("presence"));
      await Promise.race([reflected, lost]);
    } catch (error) {
      this.#xmpp = null;
      xmpp.stop().catch((failure) => console.error(words(failure)));
      throw error;
    }
    this.online = true;
    tell("online", { jid: xmpp.jid.toString() });
    return { jid: xmpp.jid.toString() };
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
    xmpp.reconnect.stop(); // that is for the lab to say
    xmpp.on("error", (error) => {
      this.#reason = words(error);
      console.error(error);
    });
    xmpp.on("disconnect", () => this.#lost(xmpp));
    xmpp.on("stanza", (stanza) => this.#show(stanza));
    return xmpp;
  }

  #lost(xmpp) {
    if (this.online && xmpp === this.#xmpp && !this.#leaving) {
      tell("offline", { reason: this.#reason || undefined });
    }
    this.online = false;
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
    await this.#xmpp.send(xml("presence", { type, to }));
  }

  // --- what comes

  #show(stanza) {
    const { from = "", to, type } = stanza.attrs;
    if (stanza.is("message") && type !== "error") {
      const body = stanza.getChildText("body");
      if (body !== null) {
        const kind = type === undefined ? "normal" : type;
        tell("message", { from, to, body, id: stanza.attrs.id, type: TYPES.has(kind) ? kind : undefined });
      }
    } else if (stanza.is("presence") && type === "subscribe") {
      tell("subscription-request", { from });
    } else if (stanza.is("presence") && (type === undefined || type === "unavailable")) {
      if (from === this.#xmpp?.jid?.toString()) return;
      const [show, status] = ["show", "status"].map((name) => stanza.getChildText(name) || undefined);
      tell("presence", { from, available: type === undefined, show, status });
    }
  }
}
