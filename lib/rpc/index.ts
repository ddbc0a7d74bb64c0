/** RPC between holders in this process: values are copied, and what cannot be copied becomes a stub. */

export { RpcPromise, RpcProperty, RpcStub, ServiceStub } from "./classes";
export { dataCloneError, domException } from "./error-kinds";
export { type ErrorMarks, errorForCaller } from "./errors";
export { currentObject, EventHost, type Host, setObjectFinder } from "./host";
export { stubClass } from "./own-stubs";
export { copyPlainly } from "./plain-copy";
export { property, type Source, serviceStub } from "./proxies";
export { HOST, type Realm, realmOf, realmOfValue } from "./realm";
export { kService, type Service, type Side, type Style } from "./refs";
export { Broken, type Holder, type Remote, type RemoteEvent } from "./remote";
export { addBase, RpcTarget } from "./target";
