// The browser is served the package's own file under this name, beside the script that imports it.
export * from 'idiomorph';
