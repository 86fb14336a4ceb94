// Text as man(7) wants it: what a formatter would take for a request is made harmless.

/** Text within a line: backslashes, and hyphens that stay hyphens when copied from the page. */
export function escapeText(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}

/** Lines of text; one that begins like a request gets a character of no width in front. */
export function formatLines(text: string): string {
  return text
    .split("\n")
    .map((it) => escapeText(it).replace(/^(?=[.'])/, "\\&"))
    .join("\n");
}

/** A macro's argument, in quotes of which those inside are written out. */
export function formatArgument(text: string): string {
  return `"${escapeText(text).replaceAll('"', "\\(dq")}"`;
}

/** As `formatArgument`, hyphens as they are: in a title line programs read them. */
export function formatPlainArgument(text: string): string {
  return `"${text.replaceAll("\\", "\\e").replaceAll('"', "\\(dq")}"`;
}

export function formatSection(title: string): string {
  return `.SH ${formatArgument(title.toUpperCase())}`;
}

/** Bold, whatever the text holds. */
export function bold(text: string): string {
  return `\\fB${escapeText(text)}\\fR`;
}

/** A placeholder: what the user puts something else for. */
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

/** A sentence of a phrase: capital letter and period. */
export function formatSentence(phrase: string): string {
  const text = phrase.charAt(0).toUpperCase() + phrase.slice(1);
  return /[.!?]$/.test(text) || text === "" ? text : `${text}.`;
}
