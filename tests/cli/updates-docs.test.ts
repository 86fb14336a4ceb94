import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mergeConfig } from "../../src/updates/config/merge.ts";
import { KEYS } from "../../src/updates/config/settings.ts";
import { RULE_NAMES } from "../../src/updates/rule-names.ts";

const docs = (name: string) => readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");
const page = docs("updates.md");

describe("the page on automatic updates", () => {
  const samples = [...page.matchAll(/^```toml\n(.*?)^```$/gms)].map(([, it = ""]) => it);

  test.each(samples)("its settings are right: %j", (text) => {
    const file = { path: "/etc/bootc/updates.d/50.toml", text };
    expect(mergeConfig([[file]]).mistakes).toEqual([]);
  });

  test("has every rule, and the settings without gates", () => {
    expect(samples.length).toBeGreaterThan(3);
    expect(RULE_NAMES.filter((it) => !page.includes(`| \`${it}\``))).toEqual([]);
    const names = Object.keys(KEYS).filter((it) => !it.startsWith("gates."));
    const last = (name: string) => name.slice(name.lastIndexOf(".") + 1);
    expect(names.filter((it) => !page.includes(`${last(it)}\``))).toEqual([]);
    const limits = Object.keys(KEYS).filter((it) => /^gates\..*_(min|max|grace|timeout)/.test(it));
    expect(limits.filter((it) => !page.includes(it))).toEqual([]);
  });
});
