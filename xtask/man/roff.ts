// Text for man(7): escapes everything that a formatter would take for a request.

/** Escapes text within a line: backslashes, and hyphens, so that they stay hyphens when copied. */
export function escapeText(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}

/** Escapes lines of text. A zero-width character is put before a line that begins like a request. */
export function formatLines(text: string): string {
  return text
    .split("\n")
    .map((it) => escapeText(it).replace(/^(?=[.'])/, "\\&"))
    .join("\n");
}

/** A macro's argument in quotes, with the quotes inside it escaped. */
export function formatArgument(text: string): string {
  return `"${escapeText(text).replaceAll('"', "\\(dq")}"`;
}

/** Like `formatArgument`, but keeps hyphens as they are: programs read the title line. */
export function formatPlainArgument(text: string): string {
  return `"${text.replaceAll("\\", "\\e").replaceAll('"', "\\(dq")}"`;
}

export function formatSection(title: string): string {
  return `.SH ${formatArgument(title.toUpperCase())}`;
}

/** Bold text, whatever it contains. */
export function bold(text: string): string {
  return `\\fB${escapeText(text)}\\fR`;
}

/** Italic text: a placeholder that the user replaces. */
export function italic(text: string): string {
  return `\\fI${escapeText(text)}\\fR`;
}

/** A term and what it means. `term` is roff already. */
export function formatTagged(term: string, text: string): readonly string[] {
  return [".TP", term.replace(/^(?=[.'])/, "\\&"), formatLines(text === "" ? "\u00a0" : text)];
}

/** Lines kept as they are. */
export function formatVerbatim(lines: readonly string[]): readonly string[] {
  return [".PP", ".RS 4", ".EX", ...lines.map(formatLines), ".EE", ".RE"];
}

/** Turns a phrase into a sentence with a capital letter and a period. */
export function formatSentence(phrase: string): string {
  const text = phrase.charAt(0).toUpperCase() + phrase.slice(1);
  return /[.!?]$/.test(text) || text === "" ? text : `${text}.`;
}
