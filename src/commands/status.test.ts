import { expect, test } from "vitest";
import { machineOf, play } from "../testing/play-verb.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { status } from "./status.ts";

test("status starts no program", async () => {
  const it = await machineOf("2025.2");
  expect(
    await play(it, [], (ctx) => status(ctx, { format: "humanreadable", booted: true })),
  ).toMatchInlineSnapshot(`
    "
    > ● Booted image: quay:latest
            Digest: sha256:14a94e9818b2b53d6f5cf1a8e8c4e010c8a0c5a8c252ced10f711b2da9cb4367 (amd64)
           Version: 42.0 (2026-11-23T12:00:00Z)
      /usr overlay: transient, read/write
    "
  `);
});

test("the format of status is the requested one, or the one that suits the terminal", async () => {
  const it = await machineOf("2025.2");
  const first = async (options: Parameters<typeof status>[1], isTerminal: boolean) => {
    const { ctx, transcript } = scriptedContext(it.root, [], { isTerminal });
    await status(ctx, options);
    return transcript().slice(1, 14);
  };
  expect(await first({}, true)).toBe(">   Staged im");
  expect(await first({}, false)).toBe("> apiVersion:");
  expect(await first({ json: true }, true)).toBe('> {"apiVersio');
  expect(await first({ json: true, format: "yaml" }, true)).toBe("> apiVersion:");
});
