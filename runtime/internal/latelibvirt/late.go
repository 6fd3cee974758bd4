//go:build libvirt_dlopen

package latelibvirt

/*
#cgo LDFLAGS: -Wl,--wrap=dlopen -Wl,--wrap=dlsym -ldl
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

void *__real_dlopen(const char *name, int flags);
void *__real_dlsym(void *library, const char *name);

typedef void (*setErrorFunc)(void *data, void *handler);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *loaded;
static int openedWith;
static char missing[512]; // why there is no library
static void *handler, *handlerData;
static void *defaultAuth; // what the library's virConnectAuthPtrDefault holds

static void keepHandler(void *data, void *f) {
	handlerData = data;
	handler = f;
}

// load loads the library unless it is loaded. Where it cannot it keeps why, and leaves
// an error for the binding's own dlerror.
static void *load(void) {
	pthread_mutex_lock(&lock);
	if (loaded == NULL && (loaded = __real_dlopen("libvirt.so.0", openedWith)) == NULL) {
		strncpy(missing, dlerror(), sizeof missing - 1);
		__real_dlopen("libvirt.so.0", openedWith);
	} else if (handler != NULL) {
		void **auth = __real_dlsym(loaded, "virConnectAuthPtrDefault");
		if (auth != NULL)
			defaultAuth = *auth;
		setErrorFunc set = (setErrorFunc)__real_dlsym(loaded, "virSetErrorFunc");
		if (set != NULL)
			set(handlerData, handler);
		handler = NULL;
	}
	pthread_mutex_unlock(&lock);
	return loaded;
}

void *__wrap_dlopen(const char *name, int flags) {
	if (name == NULL || strcmp(name, "libvirt.so.0") != 0)
		return __real_dlopen(name, flags);
	openedWith = flags;
	return &loaded;
}

void *__wrap_dlsym(void *library, const char *name) {
	if (library != &loaded)
		return __real_dlsym(library, name);
	if (strcmp(name, "virConnectAuthPtrDefault") == 0)
		return &defaultAuth;
	if (strcmp(name, "virSetErrorFunc") == 0)
		return keepHandler;
	void *real = load();
	return real == NULL ? NULL : __real_dlsym(real, name);
}

// whyMissing copies why the library could not be loaded: nothing when it was, or
// nobody has asked for it.
static void whyMissing(char *text, size_t size) {
	pthread_mutex_lock(&lock);
	memcpy(text, missing, size < sizeof missing ? size : sizeof missing);
	pthread_mutex_unlock(&lock);
}
*/
import "C"

import (
	"bytes"
	"fmt"
	"unsafe"
)

// Missing says why the library could not be loaded when it was asked for; nil when it
// could, or nobody has asked.
func Missing() error {
	var text [512]byte
	C.whyMissing((*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)))
	why, _, _ := bytes.Cut(text[:], []byte{0})
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("libvirt's library cannot be loaded: %s", why)
}
