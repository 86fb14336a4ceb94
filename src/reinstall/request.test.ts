import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { parseReinstallConfig, readReinstallRequest } from "./request.ts";

test.each([
  { text: "bootc_image: a\n", want: "f lacks `composefs_backend`, true or false" },
  { text: "composefs_backend: true\n", want: "f lacks `bootc_image`, a string" },
  { text: "bootc_image: 1\ncomposefs_backend: true\n", want: "f lacks `bootc_image`, a string" },
  {
    text: "bootc_image: a\ncomposefs_backend: false\nmore: 1\n",
    want: "f has an unknown key, `more`",
  },
  { text: "- a\n", want: "f is not a mapping" },
  { text: "", want: "f is not a mapping" },
])("refused: $text", ({ text, want }) => {
  expect(() => parseReinstallConfig("f", text)).toThrow(
    expect.objectContaining({ message: want, kind: "usage" }),
  );
});

test("the file wins over the command line", async () => {
  const dir = await mkdtemp(join(tmpdir(), "reinstall-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const file = join(dir, "config.yaml");
  await writeFile(file, "bootc_image: quay.io/a\ncomposefs_backend: true\n");
  const { ctx } = scriptedContext("/", [], { env: { BOOTC_REINSTALL_CONFIG: file } });
  expect(await readReinstallRequest(ctx, { image: "b", usesComposefs: false })).toEqual({
    image: "quay.io/a",
    usesComposefs: true,
  });
});

test.each([
  { image: undefined, want: "missing required argument 'image'" },
  { image: "--privileged", want: "`--privileged` is not the name of an image" },
  { image: "a b", want: "`a b` is not the name of an image" },
  { image: "", want: "`` is not the name of an image" },
])("refused: $image", async ({ image, want }) => {
  const { ctx } = scriptedContext("/", []);
  await expect(readReinstallRequest(ctx, { image, usesComposefs: false })).rejects.toMatchObject({
    message: want,
    kind: "usage",
  });
});
