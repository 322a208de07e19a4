// What the agent tells the lab: one JSON object a line on standard output, and nothing else there.

export class Unsupported extends Error {}

export class Failed extends Error {}

// Facts that are undefined are left out.
export function tell(event, facts) {
  process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
}

// A failure in the client's own words; some of Node.js's have a code alone.
export function words(error) {
  return error?.message || error?.code || String(error);
}
