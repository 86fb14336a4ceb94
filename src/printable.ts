// Text that others wrote, made harmless for a terminal: what a terminal acts on is shown as JSON writes it.

/** Controls, and the characters that turn the direction of writing. */
const ACTED_ON = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** One value, on one line: a line break in it does not end the line. */
export function printable(text: string): string {
  return text.replaceAll(ACTED_ON, escapeCharacter);
}

/** Whole lines: line breaks and tabs stay. */
export function printableLines(text: string): string {
  return text.replaceAll(ACTED_ON, (it) => (it === "\n" || it === "\t" ? it : escapeCharacter(it)));
}

/** The form with which a JSON document keeps its meaning, and so does the YAML that we write. */
function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
