import { expect, test } from "vitest";
import { parseContainerEnv, requireContainer } from "./source.ts";

// podman 4.3 writes this for `podman run --privileged`.
const PODMAN = `engine="podman-4.3.1"
name="busy_name"
id="f0e1"
image="quay.io/example/os:latest"
imageid="c0ffee"
rootless=0
graphRootMounted=1
`;

test("parses what podman says about a container", () => {
  const env = parseContainerEnv(PODMAN);
  expect(env).toEqual({
    engine: "podman-4.3.1",
    image: "quay.io/example/os:latest",
    imageId: "c0ffee",
    isRootless: false,
  });
  expect(requireContainer(env)).toBe(env);
});

test.each([
  ["rootless podman", PODMAN.replace("rootless=0", "rootless=1"), "Cannot install from rootless"],
  ["another engine", PODMAN.replace("podman-4", "docker-4"), "`docker-4.3.1`"],
  ["no image id", PODMAN.replace("c0ffee", ""), "which image it was created from"],
  ["an empty file, as without --privileged", "", "container engine"],
])("refuses %s", (_about, text, message) => {
  expect(() => requireContainer(parseContainerEnv(text))).toThrow(message);
});
