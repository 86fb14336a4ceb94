// Types for what we use of npm's own libraries, which have none.

declare module "npm-registry-fetch" {
  type Options = Readonly<Record<string, unknown>>;
  interface Response {
    buffer(): Promise<Buffer>;
  }
  function fetchFromRegistry(url: string, options: Options): Promise<Response>;
  namespace fetchFromRegistry {
    /** The address of the registry for a package, which depends on its scope. */
    function pickRegistry(name: string, options: Options): string;
  }
  export = fetchFromRegistry;
}

declare module "@npmcli/config" {
  class Config {
    constructor(options: Readonly<Record<string, unknown>>);
    load(): Promise<void>;
    readonly flat: Readonly<Record<string, unknown>>;
  }
  export = Config;
}

declare module "@npmcli/config/lib/definitions/index.js" {
  const definitions: {
    readonly definitions: object;
    readonly shorthands: object;
    flatten(settings: object): Readonly<Record<string, unknown>>;
  };
  export = definitions;
}

declare module "npm-install-checks" {
  /** Throws when a package with these limits does not install there. */
  export function checkPlatform(limits: object, force: false, environment: object): void;
}
