import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy, type StoredImage, storeImage } from "./deployed-images.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import { makeHost, type SimulatedHost } from "./simulated-boot.ts";

describe.each(ostreeVersions())("status on ostree $version", (version) => {
  let host: SimulatedHost;
  let first: StoredImage;
  beforeAll(() => {
    host = makeHost(version);
    first = storeImage(host, "os", { version: "1" });
    deploy(host, first, ["root=UUID=x", "rw"]);
  });
  afterAll(() => host.remove());

  test("it names the booted image", () => {
    const { stdout, stderr, status } = host.bootc("status --json");
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(JSON.parse(stdout).status.booted.image.imageDigest).toBe(first.digest);
  });
});
