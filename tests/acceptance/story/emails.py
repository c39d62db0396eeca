from hogsend.authoring import Email

hello = Email("story-hello", category="journey", sample={})
goodbye = Email("story-goodbye", category="journey", sample={})
