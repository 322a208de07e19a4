package main

import (
	"encoding/xml"
	"fmt"

	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/mux"
	"mellium.im/xmpp/roster"
	"mellium.im/xmpp/stanza"
)

// incoming is what a user is shown of a message.
type incoming struct {
	stanza.Message
	Body  string  `xml:"jabber:client body"`
	Delay delayed `xml:"urn:xmpp:delay delay"`
}

type delayed struct {
	Stamp string `xml:"stamp,attr"`
}

// --- messages: each of these is called by the library's multiplexer

func (c *client) shown(_ stanza.Message, r xmlstream.TokenReadEncoder) error {
	var message incoming
	if err := xml.NewTokenDecoder(r).Decode(&message); err != nil {
		c.out.log(fmt.Sprintf("a message that cannot be read: %v", err))
		return nil
	}
	c.tellMessage(message, "")
	return nil
}

// copied shows a copy of one of the own account's messages. The library hands on anybody's, with the message that it
// came in: whose that is, is its user's to compare (XEP-0280, 11).
func (c *client) copied(wrapped stanza.Message, sent bool, inner xml.TokenReader) error {
	if !fromOwnAccount(wrapped) {
		return nil
	}
	decoder := xml.NewTokenDecoder(inner)
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil // there is no message in it
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name != (xml.Name{Space: stanza.NSClient, Local: "message"}) {
			if err := decoder.Skip(); err != nil {
				return nil
			}
			continue
		}
		var message incoming
		if err := decoder.DecodeElement(&message, &start); err != nil {
			c.out.log(fmt.Sprintf("a copy that cannot be read: %v", err))
			return nil
		}
		direction := "received"
		if sent {
			direction = "sent"
		}
		c.tellMessage(message, direction)
		return nil
	}
}

func (c *client) tellMessage(message incoming, carbon string) {
	if message.Body == "" || message.Type == stanza.ErrorMessage {
		return
	}
	says := results{"from": c.name(message.From), "body": message.Body}
	c.out.tell("message", says.
		with("to", message.To.String()).
		with("id", message.ID).
		with("type", string(message.Type)).
		with("carbon", carbon).
		with("stamp", message.Delay.Stamp))
}

// fromOwnAccount says whose a message is. The session takes the own account's address off what comes from it.
func fromOwnAccount(message stanza.Message) bool {
	return message.From.Equal(jid.JID{})
}

// name is who sent a stanza.
func (c *client) name(from jid.JID) string {
	if from.Equal(jid.JID{}) {
		return c.me.Bare().String()
	}
	return from.String()
}

// received is told the id of a message that was delivered, and nothing else.
func (c *client) received(id string) {
	c.lock.Lock()
	from, ok := c.awaited[id]
	delete(c.awaited, id)
	c.lock.Unlock()
	if !ok {
		c.out.log(fmt.Sprintf("a receipt for %q, which was not asked for", id))
		return
	}
	c.out.tell("receipt", results{"from": from.String(), "sent": id})
}

// found keeps what an archive sends for the open query. The library hands on anybody's, with the message that it came
// in: we ask our own archive alone (XEP-0313, 8.2).
func (c *client) found(wrapped stanza.Message, r xmlstream.TokenReadEncoder) error {
	if !fromOwnAccount(wrapped) {
		return nil
	}
	var result archived
	if err := xml.NewTokenDecoder(r).Decode(&result); err != nil {
		c.out.log(fmt.Sprintf("a message of the archive that cannot be read: %v", err))
		return nil
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if result.QueryID == c.queryID {
		c.archived = append(c.archived, result)
	}
	return nil
}

// --- the roster

// contact is an item of a roster: a server may say anything of its subscription, and the lab is told what there is.
func contact(item roster.Item) results {
	says := results{"jid": item.JID.String()}.with("name", item.Name)
	switch item.Subscription {
	case "none", "to", "from", "both":
		return says.with("subscription", item.Subscription)
	}
	return says
}

func (c *client) pushed(_ string, item roster.Item) error {
	says := contact(item)
	if item.Subscription == "remove" { // a push alone may say so
		says["subscription"] = item.Subscription
	}
	c.out.tell("contact", says)
	return nil
}

// --- presence

// handler shows presence, and hands everything to the library's multiplexer. That one calls a handler for each child of
// a presence, and knows none for the presence itself.
type handler struct {
	client *client
	mux    *mux.ServeMux
	own    chan struct{} // closed when the server shows us our presence
	isOwn  bool
}

func newHandler(c *client, own chan struct{}) xmpp.Handler {
	return &handler{client: c, mux: newMux(c), own: own}
}

func (h *handler) HandleXMPP(t xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	if start.Name != (xml.Name{Space: stanza.NSClient, Local: "presence"}) {
		return h.mux.HandleXMPP(t, start)
	}
	tokens, err := xmlstream.ReadAll(t)
	if err != nil {
		return err
	}
	var presence shownPresence
	again := xmlstream.MultiReader(xmlstream.Token(*start), replay(tokens))
	if err := xml.NewTokenDecoder(again).Decode(&presence); err != nil {
		h.client.out.log(fmt.Sprintf("a presence that cannot be read: %v", err))
	} else {
		h.show(presence)
	}
	return h.mux.HandleXMPP(struct {
		xml.TokenReader
		xmlstream.Encoder
	}{replay(tokens), t}, start)
}

type shownPresence struct {
	stanza.Presence
	Show   string `xml:"jabber:client show"`
	Status string `xml:"jabber:client status"`
	Room   struct {
		Status []struct {
			Code int `xml:"code,attr"`
		} `xml:"status"`
	} `xml:"http://jabber.org/protocol/muc#user x"`
}

const roomCreated = 201 // XEP-0045, 10.1.1

func replay(tokens []xml.Token) xml.TokenReader {
	readers := make([]xml.TokenReader, len(tokens))
	for i, token := range tokens {
		readers[i] = xmlstream.Token(token)
	}
	return xmlstream.MultiReader(readers...)
}

func (h *handler) show(presence shownPresence) {
	from := h.client.name(presence.From)
	switch presence.Type {
	case stanza.SubscribePresence:
		h.client.out.tell("subscription-request", results{"from": from})
	case stanza.AvailablePresence, stanza.UnavailablePresence:
		if presence.From.Equal(h.client.me) {
			if !h.isOwn {
				close(h.own)
				h.isOwn = true
			}
			return
		}
		for _, status := range presence.Room.Status {
			if status.Code == roomCreated {
				h.client.noteCreated(presence.From.Bare())
			}
		}
		says := results{"from": from, "available": presence.Type == stanza.AvailablePresence}
		h.client.out.tell("presence", says.with("show", presence.Show).with("status", presence.Status))
	}
}
