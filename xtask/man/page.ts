// The man page of one command.
import { type CommandTree, type OptionInfo, optionNames } from "../../src/cli/tree.ts";
import { BootcError, type ErrorKind, exitStatusOf } from "../../src/errors.ts";
import {
  bold,
  escapeText,
  formatLines,
  formatPlainArgument,
  formatSection,
  formatSentence,
  formatTagged,
  formatVerbatim,
  italic,
} from "./roff.ts";

export interface PageFacts {
  readonly version: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

/** `bootc-image-list`: the name of a command's page, without its section. */
export function pageName({ path }: CommandTree): string {
  return path.join("-");
}

/** The page of `tree`, section 8. `above` is the command it belongs to. */
export function formatPage(
  tree: CommandTree,
  above: CommandTree | undefined,
  facts: PageFacts,
): string {
  const name = pageName(tree);
  const program = tree.path[0] ?? "";
  const lines = [
    `.\\" Made by \`xtask man\` from the command line's own definitions.`,
    ...formatTitle({ name, section: "8", program }, facts),
    formatSection("Name"),
    `${escapeText(name)} \\- ${escapeText(tree.description)}`,
    formatSection("Synopsis"),
    formatSynopsis(tree),
    formatSection("Description"),
    formatLines(formatSentence(tree.description)),
    ...formatCommands(tree),
    ...formatArguments(tree),
    ...formatOptions(tree),
    ...formatAfterText(tree.afterText),
    ...(above === undefined ? formatExitStatus() : []),
    ...formatSeeAlso(tree, above),
  ];
  return `${lines.join("\n")}\n`;
}

/** The line that names the page, its section, its date and the program. */
export function formatTitle(
  page: { readonly name: string; readonly section: "5" | "8"; readonly program: string },
  { version, epoch }: PageFacts,
): readonly string[] {
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  // The full version of a snapshot does not fit into a page's footer.
  const release = version.replace(/(\^|~0\.)\d.*/, "");
  const product = [`${page.program} ${release}`, `${page.program} manual`];
  const words = [page.name.toUpperCase(), page.section, date, ...product];
  return [`.TH ${words.map(formatPlainArgument).join(" ")}`];
}

function formatSynopsis({ path, usage }: CommandTree): string {
  const words = usage.split(" ").filter((it) => it !== "");
  const shown = words.map((it) => (/^[[<]/.test(it) ? formatPlaceholder(it) : bold(it)));
  return [bold(path.join(" ")), ...shown].join(" ");
}

/** `<image>` and `[image...]`, the brackets that mean "optional" kept. */
function formatPlaceholder(word: string): string {
  const [, open = "", name = ""] = /^([[<])([^\]>]*)/.exec(word) ?? [];
  return open === "[" ? `[${italic(name)}]` : italic(name);
}

function formatCommands({ subcommands }: CommandTree): readonly string[] {
  if (subcommands.length === 0) return [];
  const items = subcommands.flatMap((it) =>
    formatTagged(`${bold(pageName(it))}(8)`, formatSentence(it.description)),
  );
  return [formatSection("Commands"), ...items];
}

function formatArguments({ args }: CommandTree): readonly string[] {
  if (args.length === 0) return [];
  const items = args.flatMap(({ name, description, choices }) =>
    formatTagged(italic(name), withFacts(description, { choices, defaultText: undefined })),
  );
  return [formatSection("Arguments"), ...items];
}

function formatOptions({ options }: CommandTree): readonly string[] {
  if (options.length === 0) return [];
  const items = options.flatMap((it) =>
    formatTagged(formatOptionTerm(it), withFacts(it.description, it)),
  );
  return [formatSection("Options"), ...items];
}

function formatOptionTerm(option: OptionInfo): string {
  const names = optionNames(option).map(bold).join(", ");
  const { value } = option;
  if (value === undefined) return names;
  return value.isRequired ? `${names} ${italic(value.name)}` : `${names} [${italic(value.name)}]`;
}

function withFacts(
  description: string,
  { choices, defaultText }: Pick<OptionInfo, "choices" | "defaultText">,
): string {
  return [
    formatSentence(description),
    ...(choices.length > 0 ? [`One of ${choices.join(", ")}.`] : []),
    ...(defaultText === undefined ? [] : [`The default is ${defaultText}.`]),
  ]
    .filter((it) => it !== "")
    .join("\n");
}

/** Text from `--help`: a line that ends with a colon is a heading, indented lines are commands. */
export function formatAfterText(text: string): readonly string[] {
  const lines: string[] = [];
  let verbatim: string[] = [];
  const flush = () => {
    if (verbatim.length > 0) lines.push(...formatVerbatim(verbatim));
    verbatim = [];
  };
  for (const line of text.split("\n")) {
    if (/^\s+\S/.test(line)) {
      verbatim.push(line.replace(/^ {2}/, ""));
      continue;
    }
    flush();
    if (/^\S.*:$/.test(line)) lines.push(formatSection(line.slice(0, -1)));
    else if (line !== "") lines.push(".PP", formatLines(line));
  }
  flush();
  return lines.filter((it, i) => !(it === ".PP" && lines[i - 1]?.startsWith(".SH")));
}

/** A record by kind, so that a new kind is a compile error until it is explained here. */
const EXIT_STATUS: Readonly<Record<ErrorKind, string>> = {
  failed: "It failed for a reason that has no status of its own.",
  usage: "The command line is wrong; nothing was done.",
  unsupported: "This system, image or combination of options is not supported.",
  network: "A registry or server could not be reached, or stopped answering.",
  authentication: "A registry or server refused the credentials.",
  integrity: "Data is not what its digest or signature says.",
  policy: "A policy does not allow the image.",
  space: "A disk is full or read-only.",
  busy: "Another process is changing this system.",
  queued: "A remote build is still waiting when the time allowed for it is over.",
  unfinished: "The program ended before its work was done, which is a defect.",
};

function formatExitStatus(): readonly string[] {
  const kinds = Object.entries(EXIT_STATUS) as [ErrorKind, string][];
  const items = kinds.flatMap(([kind, text]) =>
    formatTagged(bold(String(exitStatusOf(new BootcError("", { kind })))), text),
  );
  return [formatSection("Exit status"), ...formatTagged(bold("0"), "Success."), ...items];
}

function formatSeeAlso(tree: CommandTree, above: CommandTree | undefined): readonly string[] {
  const siblings = above?.subcommands.filter((it) => pageName(it) !== pageName(tree)) ?? [];
  const own = [...(above === undefined ? [] : [above]), ...siblings, ...tree.subcommands];
  const pages = [
    ...own.map((it) => `${bold(pageName(it))}(8)`),
    ...["ostree", "skopeo"].map((it) => `${bold(it)}(1)`),
  ];
  return [formatSection("See also"), pages.join(",\n")];
}
