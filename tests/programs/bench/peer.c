/* A yardstick: a PAM module on libcurl that asks a tokeninfo endpoint and looks for two texts in
 * the answer. It does as little as a module in C can do over https with the CA bundle of the
 * system: no deadline, no limit, no parser. For the benchmark alone. */
#include <curl/curl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <string.h>

struct answer {
    char text[65536];
    size_t length;
};

static size_t keep(char *data, size_t size, size_t count, void *to)
{
    struct answer *answer = to;
    size_t length = size * count;
    if (length >= sizeof answer->text - answer->length)
        return 0;
    memcpy(answer->text + answer->length, data, length);
    answer->length += length;
    return length;
}

int pam_sm_authenticate(pam_handle_t *handle, int flags, int argc, const char **argv)
{
    static struct answer answer;
    char url[65536];
    const char *user, *token;
    long status = 0;
    CURL *curl;

    (void)flags;
    if (argc < 1 || pam_get_user(handle, &user, NULL) != PAM_SUCCESS ||
        pam_get_authtok(handle, PAM_AUTHTOK, &token, NULL) != PAM_SUCCESS)
        return PAM_AUTHINFO_UNAVAIL;
    snprintf(url, sizeof url, "%s%s", argv[0], token);
    curl = curl_easy_init();
    if (curl == NULL)
        return PAM_AUTHINFO_UNAVAIL;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (curl_easy_perform(curl) != CURLE_OK)
        status = -1;
    else
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (status < 0)
        return PAM_AUTHINFO_UNAVAIL;
    return status == 200 && strstr(answer.text, user) ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_acct_mgmt(pam_handle_t *handle, int flags, int argc, const char **argv)
{
    (void)handle, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}
