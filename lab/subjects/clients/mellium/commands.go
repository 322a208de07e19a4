package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"time"

	"mellium.im/xmlstream"
	"mellium.im/xmpp/carbons"
	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/history"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/muc"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/receipts"
	"mellium.im/xmpp/roster"
	"mellium.im/xmpp/stanza"
)

const (
	replyTime = 15 * time.Second // before an entity counts as mute
	page      = 50               // messages of an archive, if the lab does not say how many
)

// unsupported says that the library cannot do what was asked.
type unsupported string

func (u unsupported) Error() string { return string(u) }

// known has each command that the library has something for, and the arguments that it can take.
var known = map[string][]string{
	"connect":        nil,
	"disconnect":     nil,
	"send-message":   {"to", "body", "type", "receipt"},
	"send-presence":  {"to", "show", "status", "priority"},
	"subscribe":      {"jid"},
	"accept":         {"jid"},
	"refuse":         {"jid"},
	"unsubscribe":    {"jid"},
	"remove-contact": {"jid"},
	"roster":         nil,
	"discover":       {"jid", "node"},
	"ping":           {"jid"},
	"join":           {"room", "nick"},
	"leave":          {"room"},
	"enable-carbons": nil,
	"archive":        {"with", "max"},
}

func carryOut(c *client, given command) (results, error) {
	arguments, ok := known[given.name]
	if !ok {
		return nil, unsupported("mellium has nothing for " + given.name)
	}
	for name := range given.given {
		if !contains(arguments, name) {
			return nil, unsupported(fmt.Sprintf("mellium has nothing for %s of %s", name, given.name))
		}
	}
	if given.name == "connect" {
		return c.connect()
	}
	if !c.connected() {
		return nil, errors.New("not connected")
	}
	ctx, cancel := context.WithTimeout(context.Background(), replyTime)
	defer cancel()
	switch given.name {
	case "disconnect":
		return nil, c.logOut()
	case "send-message":
		return c.sendMessage(ctx, given)
	case "send-presence":
		return nil, c.tellPresence(ctx, given)
	case "subscribe":
		return nil, c.sendPresence(ctx, stanza.SubscribePresence, given.text("jid"))
	case "accept":
		return nil, c.sendPresence(ctx, stanza.SubscribedPresence, given.text("jid"))
	case "refuse":
		return nil, c.sendPresence(ctx, stanza.UnsubscribedPresence, given.text("jid"))
	case "unsubscribe":
		return nil, c.sendPresence(ctx, stanza.UnsubscribePresence, given.text("jid"))
	case "roster":
		return c.roster(ctx)
	case "enable-carbons":
		return nil, carbons.Enable(ctx, c.session)
	case "archive":
		return c.archive(ctx, given)
	case "join", "leave":
		room, err := jid.Parse(given.text("room"))
		if err != nil {
			return nil, err
		}
		if given.name == "join" {
			return nil, c.join(ctx, room, given.text("nick"))
		}
		return nil, c.leave(ctx, room)
	}
	who, err := jid.Parse(given.text("jid"))
	if err != nil {
		return nil, err
	}
	switch given.name {
	case "remove-contact":
		return nil, roster.Delete(ctx, c.session, who)
	case "discover":
		return c.discover(ctx, who, given.text("node"))
	case "ping":
		return nil, ping.Send(ctx, c.session, who)
	}
	return nil, unsupported("the agent forgot " + given.name)
}

func contains(names []string, name string) bool {
	for _, one := range names {
		if one == name {
			return true
		}
	}
	return false
}

// outgoing is a message as the library's documentation has one made.
type outgoing struct {
	stanza.Message
	Body      string             `xml:"body"`
	Requested receipts.Requested `xml:",omitempty"`
}

func (c *client) sendMessage(ctx context.Context, given command) (results, error) {
	to, err := jid.Parse(given.text("to"))
	if err != nil {
		return nil, err
	}
	kind := stanza.ChatMessage
	if asked := given.text("type"); asked != "" {
		kind = stanza.MessageType(asked)
	}
	receipt, _ := given.given["receipt"].(bool)
	message := outgoing{
		Message:   stanza.Message{ID: newID(), To: to, Type: kind},
		Body:      given.text("body"),
		Requested: receipts.Requested(receipt),
	}
	if receipt {
		c.awaitReceipt(message.ID, to)
	}
	if err := c.session.Encode(ctx, message); err != nil {
		return nil, err
	}
	return results{"sent": message.ID}, nil
}

func newID() string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // it never fails
	return hex.EncodeToString(random)
}

// tellPresence sends what RFC 6121 puts into presence, made as the library's documentation has stanzas made.
func (c *client) tellPresence(ctx context.Context, given command) error {
	var says []xml.TokenReader
	for _, name := range []string{"show", "status"} {
		if text := given.text(name); text != "" {
			says = append(says, element(name, text))
		}
	}
	if priority, ok := given.given["priority"].(float64); ok {
		says = append(says, element("priority", strconv.Itoa(int(priority))))
	}
	return c.sendPresence(ctx, stanza.AvailablePresence, given.text("to"), says...)
}

func element(name, text string) xml.TokenReader {
	return xmlstream.Wrap(xmlstream.Token(xml.CharData(text)), xml.StartElement{Name: xml.Name{Local: name}})
}

func (c *client) sendPresence(ctx context.Context, kind stanza.PresenceType, to string, says ...xml.TokenReader) error {
	presence := stanza.Presence{Type: kind}
	if to != "" {
		parsed, err := jid.Parse(to)
		if err != nil {
			return err
		}
		presence.To = parsed
	}
	return c.session.Send(ctx, presence.Wrap(xmlstream.MultiReader(says...)))
}

func (c *client) roster(ctx context.Context) (results, error) {
	contacts := []results{}
	err := c.fetchRoster(ctx, func(item roster.Item) {
		contacts = append(contacts, contact(item))
	})
	return results{"contacts": contacts}, err
}

func (c *client) fetchRoster(ctx context.Context, each func(roster.Item)) error {
	items := roster.Fetch(ctx, c.session)
	for items.Next() {
		each(items.Item())
	}
	if err := items.Err(); err != nil {
		return err
	}
	return items.Close()
}

func (c *client) discover(ctx context.Context, who jid.JID, node string) (results, error) {
	info, err := disco.GetInfo(ctx, node, who, c.session)
	if err != nil {
		return nil, err
	}
	features, identities := []string{}, []results{}
	for _, feature := range info.Features {
		features = append(features, feature.Var)
	}
	for _, one := range info.Identity {
		identities = append(identities, results{"category": one.Category, "type": one.Type}.with("name", one.Name))
	}
	return results{"features": features, "identities": identities}, nil
}

func (c *client) join(ctx context.Context, room jid.JID, nick string) error {
	occupant, err := room.WithResource(nick)
	if err != nil {
		return err
	}
	channel, err := c.rooms.Join(ctx, occupant, c.session)
	if err != nil {
		return err
	}
	c.joined[room.String()] = channel
	if !c.isNew(room) {
		return nil
	}
	// Nobody else can enter before its owner has taken it as it is, or otherwise.
	config, err := muc.GetConfig(ctx, room, c.session)
	if err != nil {
		return err
	}
	return muc.SetConfig(ctx, room, config, c.session)
}

func (c *client) leave(ctx context.Context, room jid.JID) error {
	channel, ok := c.joined[room.String()]
	if !ok {
		return errors.New("not in that room")
	}
	delete(c.joined, room.String())
	return channel.Leave(ctx, "")
}

// archived is what an archive sends for each message.
type archived struct {
	XMLName   xml.Name `xml:"urn:xmpp:mam:2 result"`
	QueryID   string   `xml:"queryid,attr"`
	Forwarded struct {
		Delay   delayed  `xml:"urn:xmpp:delay delay"`
		Message incoming `xml:"jabber:client message"`
	} `xml:"urn:xmpp:forward:0 forwarded"`
}

func (c *client) archive(ctx context.Context, given command) (results, error) {
	query := history.Query{ID: newID(), Last: true, Limit: page}
	if limit, ok := given.given["max"].(float64); ok {
		query.Limit = uint64(limit)
	}
	if with := given.text("with"); with != "" {
		parsed, err := jid.Parse(with)
		if err != nil {
			return nil, err
		}
		query.With = parsed
	}
	c.collect(query.ID)
	_, err := history.Fetch(ctx, query, jid.JID{}, c.session)
	messages := []results{}
	for _, one := range c.collected() {
		if message := one.Forwarded.Message; message.Body != "" {
			says := results{"from": message.From.String(), "body": message.Body}
			messages = append(messages, says.with("id", message.ID).with("stamp", one.Forwarded.Delay.Stamp))
		}
	}
	return results{"messages": messages}, err
}
