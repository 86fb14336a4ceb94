import { expect, test } from "vitest";
import { createLayerLinks } from "./layer-links.ts";

/** Where `path` leads through symbolic links with these targets. */
function resolve(links: Readonly<Record<string, string>>, path: string): string {
  const layer = createLayerLinks();
  for (const [at, linkPath] of Object.entries(links)) {
    layer.note(at, { type: "symlink", linkPath });
  }
  return layer.resolve(path);
}

test.each<[links: Record<string, string>, path: string, end: string]>([
  [{}, "a/b", "a/b"],
  [{ a: "c" }, "a/b", "c/b"],
  [{ a: "/c" }, "a/b", "c/b"],
  [{ "d/a": "c" }, "d/a/b", "d/c/b"],
  [{ "d/a": "/c" }, "d/a/b", "c/b"],
  [{ "d/a": "../c" }, "d/a/b", "c/b"],
  [{ "d/a": "./x//y/" }, "d/a/b", "d/x/y/b"],
  [{ a: "c", c: "e" }, "a/b", "e/b"],
  [{ a: "c/d" }, "a/x/b", "c/d/x/b"],
  // The layer is the root, which has nothing above it.
  [{ a: "../../c" }, "a/b", "c/b"],
  [{ a: "/" }, "a/b", "b"],
  [{ a: ".." }, "a/b", "b"],
  // Its own name is not followed, and neither is what merely begins like a link.
  [{ a: "c" }, "a", "a"],
  [{ "d/a": "c" }, "d/a", "d/a"],
  [{ a: "c" }, "ab/b", "ab/b"],
])("through %j, %s leads to %s", (links, path, end) => {
  expect(resolve(links, path)).toBe(end);
});

test.each<[links: Record<string, string>]>([[{ a: "a" }], [{ a: "c", c: "a" }], [{ a: "a/x" }]])(
  "a path through a circle stays as it is: %j",
  (links) => {
    expect(resolve(links, "a/b")).toBe("a/b");
  },
);

test.each([
  [40, "l40/b"],
  [41, "l0/b"],
])("%i links in a row lead to %s", (count, end) => {
  const chain = Array.from({ length: count }, (_, i) => [`l${i}`, `l${i + 1}`]);
  expect(resolve(Object.fromEntries(chain), "l0/b")).toBe(end);
});

test("what took the place of a link is not followed", () => {
  const layer = createLayerLinks();
  layer.note("a", { type: "symlink", linkPath: "c" });
  layer.note("a", { type: "directory", linkPath: "" });
  expect(layer.resolve("a/b")).toBe("a/b");
});
