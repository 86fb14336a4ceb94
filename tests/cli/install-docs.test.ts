// Checks the page on installing against the program: its options, and its example of a configuration.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createProgram } from "../../src/cli/program.ts";
import { formatInstallConfig, mergeInstallConfig } from "../../src/install/plan/install-config.ts";
import { createContext } from "../../src/system/run.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/install.md"), "utf8");

test("every option of every kind of installation is on the page", () => {
  const install = createProgram(createContext()).commands.find((it) => it.name() === "install");
  const options = (install?.commands ?? []).flatMap((it) => it.options.filter((o) => !o.hidden));
  const names = [...new Set(options.map((it) => it.long ?? ""))].filter((it) => it !== "--help");
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((it) => !new RegExp(`${it}(?![\\w-])`).test(PAGE))).toEqual([]);
});

test("the example of a configuration is valid, and shows every key", () => {
  const [block = ""] = /^ {4}\[install\]\n(?: {4}.*\n)+/m.exec(PAGE) ?? [];
  const text = block.replaceAll(/^ {4}/gm, "");
  const { config, warnings } = mergeInstallConfig([{ path: "docs/install.md", text }], "x64");
  expect(warnings).toEqual([]);
  const shown = JSON.parse(formatInstallConfig(config, true));
  expect(Object.keys(shown).length).toBeGreaterThan(12);
  expect(Object.entries(shown).filter(([, value]) => value === null)).toEqual([]);
});
