// The man page of one kind of file, section 5.
import type { FormatPage } from "./formats.ts";
import { formatTitle, type PageFacts } from "./page.ts";
import {
  bold,
  escapeText,
  formatLines,
  formatSection,
  formatSentence,
  formatTagged,
  formatVerbatim,
  italic,
} from "./roff.ts";

export function formatFormatPage(page: FormatPage, facts: PageFacts): string {
  const { name, title, synopsis, description, keys, example, seeAlso } = page;
  const [first = "", ...paragraphs] = description;
  const lines = [
    ...formatTitle({ name, section: "5", program: "bootc" }, facts),
    formatSection("Name"),
    `${escapeText(name)} \\- ${escapeText(title)}`,
    formatSection("Synopsis"),
    ...synopsis.flatMap((it, i) => [...(i === 0 ? [] : [".br"]), italic(it)]),
    formatSection("Description"),
    formatLines(first),
    ...paragraphs.flatMap((it) => [".PP", formatLines(it)]),
    formatSection("Keys"),
    ...keys.flatMap(({ term, text }) => formatTagged(bold(term), formatSentence(text))),
    formatSection("Examples"),
    formatLines(`${example.file}:`),
    ...formatVerbatim(example.text.split("\n")),
    formatSection("See also"),
    seeAlso.map((it) => `${bold(it)}(8)`).join(",\n"),
  ];
  return `${lines.join("\n")}\n`;
}
