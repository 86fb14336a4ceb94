import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { writeTree } from "../../testing/tree-spec.ts";
import { dirDiff } from "./dir-diff.ts";

function trees() {
  const dir = mkdtempSync(join(tmpdir(), "dir-diff-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const at = (name: string) => join(dir, name);
  return { pristine: at("pristine"), current: at("current"), fresh: at("fresh"), at };
}

test("changes are printed, and made only with --merge", async () => {
  const it = trees();
  writeTree(it.pristine, { a: "1", b: "1" });
  writeTree(it.current, { a: "2", c: "1" });
  writeTree(it.fresh, { a: "3", b: "3" });
  const lines = '\n> Added "c"\n> Modified "a"\n> Removed "b"\n';
  const diff = scriptedContext("/", []);
  await dirDiff(diff.ctx, it, {});
  expect(diff.transcript()).toBe(lines);
  expect(readFileSync(join(it.fresh, "a"), "utf8")).toBe("3");
  const merge = scriptedContext("/", []);
  await dirDiff(merge.ctx, it, { merge: true });
  expect(merge.transcript()).toBe(lines);
  expect(readFileSync(join(it.fresh, "a"), "utf8")).toBe("2");
});

test("nothing is merged when one change is unmergable", async () => {
  const it = trees();
  writeTree(it.pristine, { a: "1", b: "1" });
  writeTree(it.current, { a: "2", b: "2" });
  writeTree(it.fresh, { a: "3", "b/c": "3" });
  const { ctx, transcript } = scriptedContext("/", []);
  await expect(dirDiff(ctx, it, { merge: true })).rejects.toThrow(
    "the trees cannot be merged; nothing was changed",
  );
  expect(transcript()).toContain('> Unmergable "b": a file here, a directory in the new tree\n');
  expect(readFileSync(join(it.fresh, "a"), "utf8")).toBe("3");
});

test("what is not a directory is refused", async () => {
  const it = trees();
  writeTree(it.at(""), { pristine: "1", "current/": "", "fresh/": "" });
  await expect(dirDiff(scriptedContext("/", []).ctx, it, {})).rejects.toThrow("is not a directory");
});
