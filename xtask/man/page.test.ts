import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type AnyCommand, Argument, Command, Option } from "../../src/cli/commander.ts";
import { createProgram } from "../../src/cli/program.ts";
import { readCommandTree } from "../../src/cli/tree.ts";
import { createContext } from "../../src/system/run.ts";
import { formatPages, readPrograms } from "../man.ts";
import { requireFresh, writeGenerated } from "./generated.ts";
import { formatAfterText, formatPage } from "./page.ts";
import { escapeText, formatArgument, formatLines, formatTagged } from "./roff.ts";

const FACTS = { version: "2.0.0^20261123140201.g0123456789", epoch: 1_700_000_000 };

test.each([
  { text: "a-b --long", want: "a\\-b \\-\\-long" },
  { text: "C:\\n", want: "C:\\en" },
  { text: ".SH evil", want: "\\&.SH evil" },
  { text: "one\n'quoted\n.dot", want: "one\n\\&'quoted\n\\&.dot" },
  { text: "mid.dot 'x'", want: "mid.dot 'x'" },
])("$text", ({ text, want }) => {
  expect(formatLines(text)).toBe(want);
});

test("an argument's quotes are written out", () => {
  expect(formatArgument('say "x-y"')).toBe('"say \\(dqx\\-y\\(dq"');
  expect(escapeText("\\")).toBe("\\e");
});

test("a term without a text is still a term", () => {
  expect(formatTagged(".x", "")).toEqual([".TP", "\\&.x", "\u00a0"]);
});

test("examples are kept as they are, headings become sections", () => {
  expect(formatAfterText("Note this.\n\nExamples:\n  a --b\n    c\n  .d")).toEqual([
    ".PP",
    "Note this.",
    '.SH "EXAMPLES"',
    ".RS 4",
    ".EX",
    "a \\-\\-b",
    "  c",
    "\\&.d",
    ".EE",
    ".RE",
  ]);
});

function smallProgram(): AnyCommand {
  const program = new Command("demo").description("do it").helpCommand(false);
  program
    .command("run")
    .description("run an image")
    .addArgument(new Argument("<image>", "which").choices(["a", "b"]))
    .addOption(new Option("-m, --mode <mode>", "how").choices(["x", "y"]).default("x"))
    .addOption(new Option("--secret", "never shown").hideHelp())
    .addHelpText("after", "\nExamples:\n  demo run a");
  program.command("hidden", { hidden: true });
  program.command("group").command("inner");
  return program;
}

test("a page contains everything that help contains", () => {
  const tree = readCommandTree(smallProgram());
  const [run] = tree.subcommands;
  if (run === undefined) throw new Error("no command");
  expect(formatPage(run, tree, FACTS)).toMatchInlineSnapshot(`
    ".\\" Made by \`xtask man\` from the command line's own definitions.
    .TH "DEMO-RUN" "8" "2023-11-14" "demo 2.0.0" "demo manual"
    .SH "NAME"
    demo\\-run \\- run an image
    .SH "SYNOPSIS"
    \\fBdemo run\\fR [\\fIoptions\\fR] \\fIimage\\fR
    .SH "DESCRIPTION"
    Run an image.
    .SH "ARGUMENTS"
    .TP
    \\fIimage\\fR
    Which.
    One of a, b.
    .SH "OPTIONS"
    .TP
    \\fB\\-m\\fR, \\fB\\-\\-mode\\fR \\fImode\\fR
    How.
    One of x, y.
    The default is x.
    .TP
    \\fB\\-h\\fR, \\fB\\-\\-help\\fR
    Display help for command.
    .SH "EXAMPLES"
    .RS 4
    .EX
    demo run a
    .EE
    .RE
    .SH "SEE ALSO"
    \\fBdemo\\fR(8),
    \\fBdemo\\-group\\fR(8),
    \\fBostree\\fR(1),
    \\fBskopeo\\fR(1)
    "
  `);
});

test("there is a page for each visible command", () => {
  expect(
    [...formatPages([readCommandTree(smallProgram())], { ...FACTS, commitEpoch: 0 }).keys()].filter(
      (it) => it.endsWith(".8"),
    ),
  ).toEqual(["demo.8", "demo-run.8", "demo-group.8", "demo-group-inner.8"]);
});

describe("the pages of bootc", () => {
  const folder = mkdtempSync(join(tmpdir(), "man-"));
  const pages = formatPages(readPrograms(createProgram(createContext())), {
    version: FACTS.version,
    commitEpoch: FACTS.epoch,
  });
  for (const [name, text] of pages) writeFileSync(join(folder, name), text);
  const hasMan = spawnSync("man", ["--version"]).status === 0;
  const hasMandoc = spawnSync("mandoc", ["-T", "ascii"], { input: "" }).status === 0;

  test.skipIf(!hasMan)(`man has no warning${hasMan ? "" : " (skipped: no man-db)"}`, () => {
    for (const name of pages.keys()) {
      const got = spawnSync("man", ["--warnings", "-l", join(folder, name)], { encoding: "utf8" });
      expect(got).toMatchObject({ status: 0, stderr: "" });
      expect(got.stdout).toContain("SYNOPSIS");
    }
  });

  test.skipIf(!hasMandoc)(
    `mandoc has no warning${hasMandoc ? "" : " (skipped: no mandoc)"}`,
    () => {
      const files = [...pages.keys()].map((it) => join(folder, it));
      const got = spawnSync("mandoc", ["-T", "lint", "-W", "warning", ...files], {
        encoding: "utf8",
      });
      expect(got.stdout).toBe("");
    },
  );
});

test("a stale folder is reported file by file, and updated", async () => {
  const folder = mkdtempSync(join(tmpdir(), "generated-"));
  const files = new Map([
    ["a", "1"],
    ["sub/b", "2"],
    ["c", "3"],
  ]);
  await writeGenerated(folder, files);
  await requireFresh(folder, files, "cmd");
  writeFileSync(join(folder, "a"), "changed");
  writeFileSync(join(folder, "old"), "");
  rmSync(join(folder, "c"));
  await expect(requireFresh(folder, files, "cmd")).rejects.toMatchObject({
    message: `${folder} is not up to date: a is stale, c is missing, old is left over`,
    hint: "run `cmd`",
  });
  await writeGenerated(folder, files);
  await requireFresh(folder, files, "cmd");
  expect(readFileSync(join(folder, "sub/b"), "utf8")).toBe("2");
});
