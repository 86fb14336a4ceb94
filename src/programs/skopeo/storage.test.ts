import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { copyToStorage, parseStorageList } from "./storage.ts";

test("the list of a storage: an image that lost its name to another is still there", () => {
  const text =
    '[{"id":"1","names":["quay.io/a:1"],"layer":"x"},{"id":"2"},{"id":"3","names":null}]';
  expect(parseStorageList("images.json", text)).toEqual([
    { id: "1", names: ["quay.io/a:1"] },
    { id: "2", names: [] },
    { id: "3", names: [] },
  ]);
});

test.each([
  ["half a list", '[{"id":'],
  ["no list", '{"id":"1"}'],
  ["an image without an id", '[{"names":[]}]'],
  ["a name that is none", '[{"id":"1","names":[1]}]'],
])("refuses %s", (_about, text) => {
  expect(() => parseStorageList("images.json", text)).toThrow("images.json is malformed");
});

test.each([
  ["--policy=/policy.json", "/policy.json"],
  ["--insecure-policy", undefined],
])("skopeo is told %s for the policy %s", async (want, policyFile) => {
  const { ctx, transcript } = scriptedContext("/none", [
    [
      `+ unshare --mount -- skopeo ${want} copy --quiet --remove-signatures ` +
        "docker://quay.io/a/b 'containers-storage:[overlay@/storage+/run/storage]quay.io/a/b'",
    ],
  ]);
  await copyToStorage(ctx, {
    source: { image: { transport: "registry", name: "quay.io/a/b" }, access: {}, policyFile },
    name: "quay.io/a/b",
    storage: { dir: "/storage", runDir: "/run/storage" },
  });
  expect(transcript()).toContain(want);
});
