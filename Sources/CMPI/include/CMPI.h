#ifndef FANOISE_CMPI_H
#define FANOISE_CMPI_H
#endif
