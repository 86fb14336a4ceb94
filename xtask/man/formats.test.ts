import { expect, test } from "vitest";
import { createProgram } from "../../src/cli/program.ts";
import { parseBoundImage } from "../../src/host/bound-images.ts";
import { collectKargs } from "../../src/host/image-kargs.ts";
import { mergeInstallConfig } from "../../src/install/plan/install-config.ts";
import { parseSuppressions } from "../../src/lint/suppressions.ts";
import { parseReinstallConfig } from "../../src/reinstall/request.ts";
import { createContext } from "../../src/system/run.ts";
import { formatPages, readPrograms } from "../man.ts";
import { FORMATS, type FormatPage } from "./formats.ts";

/** What the product understands of each page's example. */
const PARSED: Readonly<
  Record<string, readonly [parse: (example: FormatPage["example"]) => unknown, want: unknown]>
> = {
  "bootc-install-config": [
    ({ file, text }) => mergeInstallConfig([{ path: file, text }], "x64").config,
    {
      "root-fs-type": "xfs",
      kargs: ["console=ttyS0"],
      "match-architectures": ["x86_64"],
      "skip-boot-uuid": true,
    },
  ],
  "bootc-kargs": [
    ({ file, text }) => collectKargs([{ name: file, text }], "arm64"),
    ["console=tty0", "console=ttyS0,115200n8"],
  ],
  "bootc-bound-images": [({ file, text }) => parseBoundImage(file, text), "quay.io/example/web:1"],
  "bootc-lint": [
    ({ text }) => parseSuppressions(text)[0],
    { name: "toplevel-entries", reason: "the vendor's installer insists on it" },
  ],
  "system-reinstall-bootc": [
    ({ file, text }) => parseReinstallConfig(file, text),
    { image: "quay.io/example/os:latest", usesComposefs: false },
  ],
};

test.each(FORMATS)("the example of $name is what its parser expects", ({ name, example }) => {
  const [parse, want] = PARSED[name] ?? [];
  const parsed = parse?.(example);
  if (typeof parsed === "object") expect(parsed).toMatchObject(want as object);
  else expect(parsed).toBe(want);
});

test("every key of the configuration of installations is one that its parser knows", () => {
  const page = FORMATS.find((it) => it.name === "bootc-install-config");
  const keys = page?.keys.map((it) => it.term) ?? [];
  // An unknown key below it only warns.
  for (const key of keys.filter((it) => !it.startsWith("ostree."))) {
    const path = key.split(".");
    const table = ["install", ...path.slice(0, -1)].join(".");
    // No key takes a date, so that a known one is refused for its value.
    const text = `[${table}]\n${path.at(-1)} = 1979-05-27\n`;
    expect(() => mergeInstallConfig([{ path: "f", text }], "x64")).toThrow(/ is not /);
  }
});

test("pages lead to pages that exist", () => {
  const pages = formatPages(readPrograms(createProgram(createContext())), {
    version: "1",
    commitEpoch: 0,
  });
  const missing = FORMATS.flatMap((it) => it.seeAlso).filter((it) => !pages.has(`${it}.8`));
  expect(missing).toEqual([]);
  for (const { name } of FORMATS) expect(pages.has(`${name}.5`)).toBe(true);
});
