#include "CPosixAIO.h"
